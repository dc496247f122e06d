#include "actors/remote_agents.hpp"

#include "actors/node_link.hpp"
#include "actors/remote_agent.hpp"

namespace troupe {

expected<std::shared_ptr<remote_agents>> remote_agents::make(caf::actor_system& system, const job_options& options) {
  auto result = std::shared_ptr<remote_agents>(new remote_agents(system, options));
  if (!options.nodes.empty())
    return result;
  for (uint32_t i = 0; i < static_cast<uint32_t>(options.agents); ++i) {
    auto process = worker_process::launch({.program = options.worker_program});
    if (!process)
      return tl::unexpected(process.error());
    result->ready_.emplace(i, std::move(*process));
  }
  return result;
}

expected<void> remote_agents::connect(const hosted_job& job) {
  for (auto& node : options_.nodes) {
    auto address = *parse_address(node);
    if (auto host = connect_node(system_, address.first, address.second, job.description.job_id); !host)
      return tl::unexpected(host.error());
  }
  return {};
}

// What an agent cannot survive in place ends its process (R12), so every incarnation but the first gets a new one.
expected<worker_process> remote_agents::worker(uint32_t index) {
  auto guard = std::unique_lock{mutex_};
  if (auto found = ready_.extract(index))
    return std::move(found.mapped());
  guard.unlock();
  return worker_process::launch({.program = options_.worker_program});
}

size_t remote_agents::node_for(uint32_t index) {
  auto guard = std::lock_guard{mutex_};
  return choice_.pick(index, system_.clock().now());
}

void remote_agents::tried(size_t node, bool good) {
  auto guard = std::lock_guard{mutex_};
  if (good)
    choice_.succeeded(node);
  else
    choice_.failed(node, system_.clock().now());
}

started remote_agents::start(const role_id& role, const start_context& c, const std::shared_ptr<hosted_job>& job) {
  auto config = remote_agent::config{role, job, c.notice, c.number, nullptr, {}, {}, {}};
  if (options_.nodes.empty()) {
    config.launch = [self = shared_from_this(), index = role.index] { return self->worker(index); };
  } else {
    auto node = node_for(role.index);
    config.node = options_.nodes[node];
    config.on_tried = [self = shared_from_this(), node](bool good) { self->tried(node, good); };
  }
  return started::later(c.system.spawn<remote_agent, caf::detached>(std::move(config)));
}

} // namespace troupe
