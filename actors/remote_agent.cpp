#include "actors/remote_agent.hpp"

#include <utility>

#include "messages/caf.hpp"
#include "supervision/exit_reason.hpp"

namespace troupe {

template <class F>
void remote_agent::in_worker(F f) {
  auto* worker = static_cast<remote_worker*>(caf::actor_cast<caf::abstract_actor*>(config_.worker));
  run_in(config_.worker, [worker, f = std::move(f)] { f(*worker); });
}

caf::behavior remote_agent::make_behavior() {
  on_exit_message(this, [this](caf::exit_msg& m) {
    if (m.reason == caf::exit_reason::kill)
      quit(m.reason);
    else if (there_)
      send_exit(there_, m.reason); // its end brings this one's about
    else
      leave(cause_of(m.reason));
  });
  troupe::monitor(this, config_.worker, [this](const caf::error& reason) { quit(end_ ? reason_of(*end_) : reason); });
  auto answer = [self = caf::actor{this}, this](const agent_spawned& s) { run_in(self, [this, s] { spawned(s); }); };
  auto waits = [self = caf::actor{this}, this] { run_in(self, [this] { ready(); }); };
  auto what = remote_worker::spawn_request{config_.role,     config_.number,   config_.notice.supervisor(),
                                           caf::actor{this}, std::move(waits), std::move(answer)};
  in_worker([what = std::move(what)](remote_worker& w) { w.spawn_there(what); });
  return {[this](const replace_state& word) {
    if (there_)
      troupe::anon_send(there_, word);
  }};
}

// Killed: the process is not asked either.
void remote_agent::on_exit() {
  if (!end_)
    send_exit(config_.worker, caf::exit_reason::kill);
  config_.worker = nullptr;
  caf::event_based_actor::on_exit();
}

void remote_agent::spawned(const agent_spawned& answer) {
  if (!answer.handle)
    return leave({exit_kind::error, {answer.refusal}}); // the supervisor has this actor's handle
  there_ = caf::actor_cast<caf::actor>(answer.handle);
  troupe::monitor(this, there_, [this](const caf::error& reason) {
    if (auto cause = cause_of(reason); cause.kind != exit_kind::connection_lost) // else the worker tells why
      leave(cause);
  });
  ready();
}

void remote_agent::ready() {
  if (!std::exchange(is_ready_, true))
    config_.notice.ready(caf::actor{this});
}

void remote_agent::leave(const exit_cause& why) {
  if (end_)
    return;
  end_ = why;
  auto stays = [self = caf::actor{this}, this] { run_in(self, [this] { quit(reason_of(*end_)); }); };
  in_worker([role = config_.role, peace = why.is_clean(), stays](remote_worker& w) { w.leave(role, peace, stays); });
}

} // namespace troupe
