#include "actors/remote_agents.hpp"

#include <caf/event_based_actor.hpp>
#include <fmt/format.h>

#include "actors/node_link.hpp"
#include "messages/caf.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

// Opening a large data set on the agent's host takes its time (R7).
constexpr auto spawn_deadline = 60s;

} // namespace

expected<std::shared_ptr<remote_agents>> remote_agents::make(caf::actor_system& system, const job_options& options) {
  auto result = std::shared_ptr<remote_agents>(new remote_agents(system, options));
  if (!options.nodes.empty()) {
    result->places_.resize(options.nodes.size());
    return result;
  }
  result->places_.resize(static_cast<size_t>(options.agents));
  for (auto& p : result->places_) {
    auto process = worker_process::launch(options.worker_program);
    if (!process)
      return tl::unexpected(process.error());
    p.process = std::move(*process);
  }
  return result;
}

expected<node_actor> remote_agents::open(uint32_t index, const std::string& job_id) {
  auto& p = places_[index];
  auto address = std::pair<std::string, uint16_t>{"127.0.0.1", 0};
  if (p.process) {
    auto port = p.process->port();
    if (!port)
      return tl::unexpected(port.error());
    address.second = *port;
  } else {
    address = *parse_address(options_.nodes[index]);
  }
  auto host = connect_node(system_, address.first, address.second, job_id);
  if (host)
    p.host = *host;
  return host;
}

expected<void> remote_agents::connect(const hosted_job& job) {
  for (uint32_t i = 0; i < places_.size(); ++i)
    if (auto opened = open(i, job.description.job_id); !opened)
      return tl::unexpected(opened.error());
  job.roles->on_bind([self = weak_from_this()](const bind_role& entry) {
    auto strong = self.lock();
    if (!strong || entry.role.kind == "agent")
      return; // agents do not talk to each other
    auto guard = std::lock_guard{strong->mutex_};
    for (auto& p : strong->places_)
      if (p.host)
        troupe::anon_send(p.host, entry);
  });
  return {};
}

// Where an incarnation of an agent is to live. A worker process dies with its agent's first incarnation at the latest: what
// an agent cannot survive ends its process (R12), so the next one gets a new process.
expected<node_actor> remote_agents::host_of(const role_id& role, incarnation number, const std::string& job_id) {
  auto guard = std::lock_guard{mutex_};
  auto index = static_cast<uint32_t>(role.index % places_.size());
  auto& p = places_[index];
  if (number.value <= 1 || !p.process)
    return p.host ? expected<node_actor>{p.host} : open(index, job_id);
  p.host = nullptr;
  p.process.reset(); // waits for its end
  auto process = worker_process::launch(options_.worker_program);
  if (!process)
    return tl::unexpected(process.error());
  p.process = std::move(*process);
  return open(index, job_id);
}

started remote_agents::start(const role_id& role, const start_context& c, const std::shared_ptr<hosted_job>& job) {
  // A new process takes its time to start, so this happens in an actor with a thread of its own.
  c.system.spawn<caf::detached>([self = shared_from_this(), role, number = c.number, notice = c.notice, job](caf::event_based_actor* me) {
    auto host = self->host_of(role, number, job->description.job_id);
    if (!host) {
      notice.failed(host.error());
      return;
    }
    auto known = job->roles->entries();
    std::erase_if(known, [](auto& e) { return e.role.kind == "agent"; });
    troupe::request(me, *host, spawn_deadline, spawn_agent{job->description, role, number, known})
      .then(
        [=](const agent_spawned& s) {
          if (!s.handle) {
            notice.failed({s.refusal});
            return;
          }
          job->roles->bind({role, number, s.handle});
          notice.ready(caf::actor_cast<caf::actor>(s.handle));
        },
        [=](const caf::error& e) { notice.failed({fmt::format("the node of {} did not start it: {}", to_string(role), caf::to_string(e))}); });
  });
  return started::later();
}

} // namespace troupe
