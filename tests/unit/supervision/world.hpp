#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "supervision/decide.hpp"

namespace troupe::testing {

using namespace std::chrono_literals;
using strings = std::vector<std::string>;

/// Children of a supervisor that is nothing but its state: they start, end and obey as a test tells them to, at once
/// and in order unless told otherwise. Checks on every action that no id ever has two incarnations alive and that
/// incarnations rise (T2), and keeps what happened.
class world {
public:
  explicit world(supervisor_spec spec, incarnation floor = {});

  // How children behave from now on.
  std::set<std::string> fails_to_start; ///< ends with an error instead of becoming ready
  std::set<std::string> never_ready;    ///< starts and says nothing
  std::set<std::string> ignores_stop;   ///< does not end when asked
  std::set<std::string> survives_kill;  ///< does not end when killed either

  /// Has the supervisor handle an event, and all that follows from it without time passing or a mailbox turn.
  world& tell(supervisor_event event);
  /// The live incarnation of `id` ends by itself.
  world& die(const std::string& id, exit_kind kind = exit_kind::error, std::string why = {});
  /// The state of `id` fails while its actor lives on.
  world& fail_state(const std::string& id, exit_kind kind = exit_kind::exception);
  /// The live incarnation of `id` becomes ready.
  world& become_ready(const std::string& id);
  /// Lets time pass; timers fire when they are due. With 0, one turn of the mailbox.
  world& pass(nanoseconds time);

  world& begin() { return tell(event::begin{}); }
  world& stop() { return tell(event::stop{}); }
  call_result start_child(child_spec spec);
  call_result start_from_template();
  call_result terminate(const std::string& id);
  call_result restart(const std::string& id);
  call_result remove(const std::string& id);

  /// What the supervisor did since the last call: "start a", "stop a", "kill a", "replace a", "end a", "ready",
  /// "finish <kind>".
  strings did();
  /// The children in order: "a running #1".
  [[nodiscard]] strings list() const;
  [[nodiscard]] bool finished() const { return state.now_in == supervisor_state::phase::finished; }
  /// Delays of the timers that are set, shortest first.
  [[nodiscard]] std::vector<nanoseconds> timers() const;

  supervisor_state state;
  time_point now{};
  std::vector<supervision_report> reports;
  std::map<uint64_t, call_result> answers;
  exit_cause cause;       ///< with which the supervisor finished
  uint64_t next_call = 1; ///< of the next call of the dynamic API

private:
  call_result call(supervisor_event event);
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
  void end(const std::string& id, incarnation number, exit_cause why);

  strings did_;
  std::vector<supervisor_event> next_;
  std::map<std::string, incarnation> alive_;
  std::map<std::string, incarnation> last_;
  std::multimap<time_point, uint64_t> timers_;
};

/// A spec with workers of these ids, named "s".
supervisor_spec spec_of(restart_strategy strategy, const strings& ids, restart_type restart = permanent,
                        restart_limit limit = at_most(1'000'000, 5s));

} // namespace troupe::testing
