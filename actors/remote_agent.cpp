#include "actors/remote_agent.hpp"

#include <fmt/format.h>

#include "actors/node_link.hpp"
#include "messages/caf.hpp"
#include "supervision/exit_reason.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

// Opening a large data set on the agent's host takes its time (R7).
constexpr auto spawn_deadline = 60s;
// How long a process may take to be gone after its connection is.
constexpr auto exit_limit = 500ms;

} // namespace

remote_agent::remote_agent(caf::actor_config& cfg, config c)
  : caf::event_based_actor(cfg), config_(std::move(c)), detector_(config_.detection) {
  // nop
}

caf::behavior remote_agent::make_behavior() {
  on_exit_message(this, [this](caf::exit_msg& m) {
    if (agent_ && m.reason != caf::exit_reason::kill)
      send_exit(agent_, m.reason); // its end brings this one's about
    else
      quit(m.reason);
  });
  run_in(caf::actor{this}, [this] {
    if (auto opened = open(); !opened)
      fail_start(opened.error());
    else
      spawn_there();
  });
  return {[this](const replace_state& word) {
    if (agent_)
      troupe::anon_send(agent_, word);
  }};
}

void remote_agent::on_exit() {
  if (agent_)
    send_exit(agent_, caf::exit_reason::kill);
  process_.reset(); // waits for its end
  caf::event_based_actor::on_exit();
}

// -- start ------------------------------------------------------------------------------------------------------------

expected<void> remote_agent::open() {
  auto& job = config_.job->description.job_id;
  auto address = std::pair<std::string, uint16_t>{"127.0.0.1", 0};
  if (config_.launch) {
    auto process = config_.launch();
    if (!process)
      return tl::unexpected(process.error());
    process_ = std::move(*process);
    auto port = process_->port();
    if (!port)
      return tl::unexpected(port.error());
    address.second = *port;
  } else {
    address = *parse_address(config_.node);
    auto node = connect_node(system(), address.first, address.second, job);
    if (!node)
      return tl::unexpected(node.error());
    node_ = caf::actor_cast<node_actor>(*node);
    auto supervisor = caf::actor_cast<caf::strong_actor_ptr>(config_.notice.supervisor());
    auto port = open_worker_on(system(), node_, {job, config_.role, config_.number, supervisor});
    if (!port)
      return tl::unexpected(port.error());
    address.second = *port;
  }
  auto host = connect_node(system(), address.first, address.second, job);
  if (!host)
    return tl::unexpected(host.error());
  host_ = caf::actor_cast<agent_host_actor>(*host);
  return {};
}

void remote_agent::spawn_there() {
  auto known = config_.job->roles->entries();
  // Agents do not talk to each other; with the coordinator, as soon as they can be answered.
  std::erase_if(known, [](auto& e) { return e.role.kind == "agent" || e.role.kind == "coordinator"; });
  known.push_back({{"supervisor", 0}, {}, caf::actor_cast<caf::strong_actor_ptr>(config_.notice.supervisor())});
  troupe::request(this, host_, spawn_deadline,
                  spawn_agent{config_.job->description, config_.role, config_.number, known})
    .then([this](const agent_spawned& s) { spawned(s); },
          [this](const caf::error& e) {
            fail_start({fmt::format("the node of {} did not start it: {}{}", to_string(config_.role), caf::to_string(e),
                                    process_ ? "; " + process_->ended(exit_limit).value_or("its process runs") : "")});
          });
}

void remote_agent::fail_start(const failure& why) {
  if (config_.on_tried)
    config_.on_tried(false);
  quit(reason_of(why)); // the supervisor has this actor's handle
}

void remote_agent::spawned(const agent_spawned& answer) {
  if (!answer.handle)
    return fail_start({answer.refusal});
  agent_ = caf::actor_cast<caf::actor>(answer.handle);
  troupe::monitor(this, agent_, [this](const caf::error& reason) { ended(reason); });
  auto& roles = *config_.job->roles;
  roles.bind({config_.role, config_.number, answer.handle});
  roles.on_bind(this->ctrl(), [host = host_](const bind_role& entry) {
    if (entry.role.kind != "agent")
      troupe::anon_send(host, entry);
  });
  for (auto& entry : roles.entries()) // what was bound meanwhile, and the coordinator
    if (entry.role.kind != "agent")
      troupe::anon_send(host_, entry);
  if (config_.on_tried)
    config_.on_tried(true);
  config_.notice.ready(caf::actor{this});
  beat();
}

// -- watch ------------------------------------------------------------------------------------------------------------

void remote_agent::beat() {
  troupe::request(this, host_, 10 * config_.detection.pace, heartbeat{++beats_})
    .then(
      [this](const troupe::alive&) {
        detector_.on_alive(system().clock().now());
        judge(reachability::reachable);
      },
      [](const caf::error&) {}); // the silence speaks
  run_after(this, config_.detection.pace, [this] {
    judge(detector_.judge(system().clock().now()));
    beat();
  });
}

void remote_agent::judge(reachability now) {
  if (now == std::exchange(last_, now))
    return;
  auto coordinator = config_.job->roles->find({"coordinator", 0});
  if (now == reachability::unreachable && coordinator) {
    troupe::anon_send(caf::actor_cast<caf::actor>(coordinator), peer_unreachable{config_.role});
  } else if (now == reachability::reachable &&
             coordinator) { // it may have been left out of the view: have it join again
    troupe::anon_send(
      host_, bind_role{{"coordinator", 0}, config_.job->roles->entry({"coordinator", 0})->incarnation, coordinator});
  } else if (now == reachability::dead) {
    if (process_)
      process_->kill();
    ended(reason_of(exit_cause{exit_kind::connection_lost,
                               {fmt::format("it did not answer for {}", to_string(detector_.silence()))}}));
  }
}

// How the process ended says more than that its connection was lost.
void remote_agent::ended(const caf::error& reason) {
  auto cause = cause_of(reason);
  if (process_ && cause.kind == exit_kind::connection_lost) {
    if (auto how = process_->ended(exit_limit))
      cause = caused(exit_kind::error, *how, cause);
  } else if (node_ && cause.kind == exit_kind::connection_lost) {
    if (std::exchange(asked_, true))
      return;
    troupe::request(this, node_, exit_limit, ask_worker_end{config_.role, config_.number})
      .then(
        [this, cause](const worker_ended& e) {
          quit(reason_of(e.how.empty() ? cause : caused(exit_kind::error, e.how, cause)));
        },
        [this, cause](const caf::error&) { quit(reason_of(cause)); });
    return;
  }
  quit(reason_of(cause));
}

} // namespace troupe
