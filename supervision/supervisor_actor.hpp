#pragma once

#include <caf/actor.hpp>
#include <caf/behavior.hpp>
#include <caf/disposable.hpp>
#include <caf/event_based_actor.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "messages/caf.hpp"
#include "supervision/decide.hpp"
#include "supervision/supervise.hpp"
#include "supervision/supervisor.hpp"
#include "supervision/timers.hpp"
#include "supervision/tree_record.hpp"

namespace troupe {

/// What a supervisor actor is made of.
struct supervisor_config {
  std::shared_ptr<const supervision_tree> tree;         ///< it and everything below
  std::string path;                                     ///< from the root: "training/agents"
  std::shared_ptr<tree_record> record;                  ///< shared by the whole tree
  std::function<void(const caf::actor& self)> on_ready; ///< called when the last static child is ready
};

/// Answers one call of the dynamic API exactly once: also where the supervisor ends first and drops it.
class pending_call {
public:
  pending_call(std::string child, supervisor::on_done done) : child_(std::move(child)), done_(std::move(done)) {}
  pending_call(const pending_call&) = delete;
  pending_call& operator=(const pending_call&) = delete;
  ~pending_call() { answer({call_error::stopping, child_, {}, "the supervisor has ended"}); }

  void answer(const call_result& result) {
    if (auto done = std::exchange(done_, nullptr))
      done(result);
  }

private:
  std::string child_;
  supervisor::on_done done_;
};

/// Carries out what `decide` decides; decides nothing itself.
///
/// Receives: exit messages (it stops its children, then ends with that reason), `state_failed` from the shells of
/// children (it sends `replace_state`, or ends them) and, through the classes `supervisor` and `start_notice`, calls
/// that run in its context. Answers: no messages. Ends: with `reason_of` the cause `decide` found; with `kill`, its
/// children are killed too. Owns: its children, by handle and monitor.
class supervisor_actor : public caf::event_based_actor {
public:
  supervisor_actor(caf::actor_config& cfg, supervisor_config config);

  const char* name() const override { return "troupe.supervisor"; }

  using call_ptr = std::shared_ptr<pending_call>;

  // Only from within its own context; see run_in.
  void start_child(startable child, child_spec spec, call_ptr call);
  void start_child(caf::message argument, call_ptr call);
  void terminate_child(std::string id, call_ptr call);
  void restart_child(std::string id, call_ptr call);
  void delete_child(std::string id, call_ptr call);
  void child_ready(const std::string& id, incarnation number, const caf::actor& child);
  void child_failed(const std::string& id, incarnation number, exit_cause cause);
  void child_lost(const std::string& id, incarnation number, exit_cause cause);
  [[nodiscard]] const supervisor_state& state() const { return state_; }

protected:
  caf::behavior make_behavior() override;
  void on_exit() override;

private:
  /// One start that has not ended.
  struct live_child {
    incarnation number;
    caf::actor handle; ///< empty while its start has not told it
    subscription watch;
    std::shared_ptr<recent_messages> recent; ///< if it notes them
  };
  /// How to start a dynamic child again.
  struct origin {
    start_function start;
    caf::message argument;
  };

  void handle(supervisor_event event);
  void carry_out(const action::start& a);
  void carry_out(const action::ask_stop& a);
  void carry_out(const action::kill& a);
  void carry_out(const action::replace_state& a);
  void carry_out(const action::replace_again& a);
  void carry_out(const action::end_failed& a);
  void carry_out(const action::set_timer& a);
  void carry_out(const action::cancel_timer& a);
  void carry_out(const action::answer& a);
  void carry_out(const action::report& a);
  void carry_out(const action::forget& a);
  void carry_out(const action::ready& a);
  void carry_out(const action::finish& a);

  void watch(const std::string& id, live_child& child, const caf::actor& handle);
  [[nodiscard]] live_child* find(const std::string& id, incarnation number);
  [[nodiscard]] started call_start(const std::string& id, incarnation number, std::shared_ptr<recent_messages>& recent);
  void wake();
  void set_wake();
  [[nodiscard]] uint64_t enter(call_ptr call);
  void let_go();

  supervisor_config config_;
  supervisor_state state_;
  std::deque<supervisor_event> inbox_; ///< events that actions brought about at once
  bool busy_ = false;
  std::unordered_map<std::string, const supervision_tree::node*> static_;
  std::unordered_map<std::string, origin> dynamic_;
  std::unordered_map<std::string, live_child> live_;
  timers timers_;
  std::optional<time_point> wakes_at_; ///< CAF's clock has one timer of each supervisor, not one per child
  caf::disposable wake_;
  std::unordered_map<uint64_t, call_ptr> calls_;
  uint64_t next_call_ = 1;
  caf::actor keep_; ///< itself, so that it lives until it ends although nobody may hold its handle
};

/// Spawns the supervisor of `config.tree`; it starts its children at once.
caf::actor spawn_supervisor(caf::actor_system& system, supervisor_config config);

} // namespace troupe
