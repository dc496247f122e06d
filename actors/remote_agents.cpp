#include "actors/remote_agents.hpp"

#include "actors/node_link.hpp"
#include "actors/remote_agent.hpp"

namespace troupe {

remote_agents::remote_agents(caf::actor_system& system, job_options options, std::string secret, bool goes_on)
  : system_(system), options_(std::move(options)), secret_(std::move(secret)), goes_on_(goes_on) {
  auto must_start = goes_on_ ? 0 : static_cast<uint32_t>(options_.least_agents);
  if (!options_.nodes.empty())
    places_ = std::make_shared<agent_places>(
      agent_places::options{options_.nodes, place_agents(options_).value(), must_start, options_.wait_for_nodes});
}

expected<std::shared_ptr<remote_agents>> remote_agents::make(caf::actor_system& system, const job_options& options,
                                                             std::string secret, bool goes_on) {
  auto result = std::shared_ptr<remote_agents>(new remote_agents(system, options, std::move(secret), goes_on));
  if (!options.nodes.empty())
    return result;
  for (uint32_t i = 0; i < static_cast<uint32_t>(options.agents); ++i) {
    auto process = worker_process::launch({.program = options.worker_program, .secret = result->secret_});
    if (!process)
      return tl::unexpected(process.error());
    result->ready_.emplace(i, std::move(*process));
  }
  return result;
}

expected<void> remote_agents::connect(const hosted_job& job) {
  if (goes_on_)
    return {};
  for (auto& node : options_.nodes) {
    auto address = *parse_address(node);
    if (auto host = connect_node(system_, address.first, address.second, job.description.job_id); !host)
      return tl::unexpected(host.error());
  }
  return {};
}

// What an agent cannot survive in place ends its process (R12), so every incarnation but the first gets a new one.
expected<worker_process> remote_agents::launch(uint32_t rank) {
  auto guard = std::unique_lock{mutex_};
  if (auto found = ready_.extract(rank))
    return std::move(found.mapped());
  guard.unlock();
  return worker_process::launch({.program = options_.worker_program, .secret = secret_});
}

// An agent and the role at its side have different supervisors: whoever is started first brings the process with it.
caf::actor remote_agents::worker_for(uint32_t rank, const start_context& c, const std::shared_ptr<hosted_job>& job) {
  auto guard = std::lock_guard{mutex_};
  auto& mine = slots_[rank];
  if (auto known = caf::actor_cast<caf::strong_actor_ptr>(mine.worker); known && !has_ended(known))
    return caf::actor_cast<caf::actor>(known);
  mine.number = mine.number.next();
  auto config = remote_worker::config{job, rank, mine.number, c.notice.supervisor(), nullptr, places_};
  if (places_) {
    config.on_note = observer_.on_note;
    config.on_wait = [on_wait = observer_.on_wait, rank] { on_wait(rank); };
    config.on_hopeless = observer_.on_hopeless;
  } else {
    config.launch = [self = shared_from_this(), rank] { return self->launch(rank); };
  }
  auto worker = caf::actor{c.system.spawn<remote_worker, caf::detached>(std::move(config))};
  mine.worker = caf::actor_cast<caf::weak_actor_ptr>(worker);
  return worker;
}

started remote_agents::start(const role_id& role, uint32_t rank, const start_context& c,
                             const std::shared_ptr<hosted_job>& job) {
  return started::later(
    c.system.spawn<remote_agent>(remote_agent::config{role, c.number, c.notice, worker_for(rank, c, job)}));
}

} // namespace troupe
