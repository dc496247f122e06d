#pragma once

#include <string>
#include <vector>

#include "supervision/decide.hpp"

namespace troupe {

/// How `decide` handles one event; internal to supervision. Starts and stops are in turn.cpp, what ends bring about in
/// ends.cpp, the dynamic API in calls.cpp.
class turn {
public:
  turn(supervisor_state& state, time_point now) : s_(state), now_(now) {}

  void on(const event::begin&);
  void on(const event::child_ready& e);
  void on(const event::child_ended& e);
  void on(const event::state_failed& e);
  void on(const event::timer_fired& e);
  void on(const event::stop& e);
  void on(const event::start_child& e);
  void on(const event::start_from_template& e);
  void on(const event::terminate_child& e);
  void on(const event::restart_child& e);
  void on(const event::delete_child& e);

  /// Starts or stops whoever's turn it is, then hands over the actions.
  std::vector<supervisor_action> take();

private:
  /// Children whose restarts concern nobody else start and stop by themselves; the others in order, one by one.
  [[nodiscard]] bool is_group() const { return s_.spec.strategy == one_for_all || s_.spec.strategy == rest_for_one; }
  [[nodiscard]] bool is_simple() const { return s_.spec.strategy == simple_one_for_one; }
  /// An explicit end leaves no spec behind.
  [[nodiscard]] bool is_dropped(const child_record& c) const { return is_simple() || c.spec->restart == temporary; }

  void advance();
  [[nodiscard]] bool is_gated(uint64_t position) const;

  // One child.
  void start(child_record& c);
  void begin_stop(child_record& c);
  void kill(child_record& c);
  void arm(child_record& c, nanoseconds delay);
  void disarm(child_record& c);
  void settle(child_record& c);
  void forget(child_record& c);

  // Ends.
  void ended(child_record& c, const exit_cause& cause);
  void stopped(child_record& c, exit_cause cause);
  void failed_to_start(child_record& c, const exit_cause& cause);
  void died(child_record& c, const exit_cause& cause);
  bool absorbed(child_record& c, const exit_cause& cause);
  [[nodiscard]] bool ends_supervisor(const child_record& c) const;
  void end_with(const child_record& c, const exit_cause& cause);

  // Restarts.
  bool granted(child_record& c, const exit_cause& cause, decision what);
  void restart(child_record& c, bool retry);
  void replace(child_record& c);
  void stop_and_start_with(const child_record& c);

  // The end of the supervisor.
  void escalate(const child_record& c, const exit_cause& cause, exit_kind kind, std::string sentence);
  void finish_with(exit_cause cause);

  void report(const child_record& c, const exit_cause& cause, decision what);
  void answer(uint64_t call, const child_record& c);
  void refuse(uint64_t call, const std::string& id, call_error error, std::string sentence);
  void refuse_start(child_record& c, call_error error, std::string sentence);
  [[nodiscard]] child_record* look_up(uint64_t call, const std::string& id);
  void add_and_start(uint64_t call, std::shared_ptr<const child_spec> spec, std::string id);

  supervisor_state& s_;
  time_point now_;
  std::vector<supervisor_action> out_;
};

} // namespace troupe
