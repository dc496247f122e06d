#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "messages/ids.hpp"
#include "supervision/report.hpp"
#include "supervision/spec.hpp"

namespace troupe {

/// Why a call of the dynamic API was refused (S8).
enum class call_error : uint8_t {
  not_found,       ///< no child has this id
  already_present, ///< a stopped child has this id: restart or delete it
  already_started, ///< a child with this id runs, starts or waits for its restart
  running,         ///< only for stopped children: it runs, starts or is being stopped
  restarting,      ///< only for stopped children: it waits for its restart
  bad_spec,        ///< see the sentence
  wrong_strategy,  ///< not for simple_one_for_one, or only for it
  start_failed,    ///< see the sentence; a child that was to be added is gone again, one to be restarted stays stopped
  terminated,      ///< it was terminated before it was ready
  stopping,        ///< the supervisor is ending or has ended
};

std::string_view to_string(call_error error);

/// The answer to a call of the dynamic API.
struct call_result {
  std::optional<call_error> error; ///< none: it is done
  std::string child;               ///< the id, also the one given to a child of a template
  incarnation number;              ///< of the child
  std::string sentence;            ///< what is wrong, if something is
};

// -- what a supervisor is told --------------------------------------------------------------------

namespace event {

/// Starts the static children.
struct begin {};
/// A child can be used. An inner supervisor reports it after its last child (S1).
struct child_ready {
  std::string id;
  incarnation number;
};
/// A child has ended, or it could not be started at all.
struct child_ended {
  std::string id;
  incarnation number;
  exit_cause cause;
};
/// The state of a child failed; its actor is still there and waits for what becomes of it (T3).
struct state_failed {
  std::string id;
  incarnation number;
  exit_cause cause;
};
/// A timer set by `action::set_timer` ran out.
struct timer_fired {
  uint64_t token = 0;
};
/// The parent, or the runtime, asks the supervisor to end; `cause` becomes its own.
struct stop {
  exit_cause cause{exit_kind::shutdown, {}};
};

// The dynamic API (S8). `call` comes back in `action::answer`.

/// Adds a child after the others and starts it.
struct start_child {
  uint64_t call = 0;
  child_spec spec;
};
/// Starts one more child of a simple_one_for_one supervisor's template; its id is "<template>/<n>", n from 0.
struct start_from_template {
  uint64_t call = 0;
};
/// Stops a child; its spec is kept, unless it is temporary or comes from a template.
struct terminate_child {
  uint64_t call = 0;
  std::string id;
};
/// Starts a stopped child again.
struct restart_child {
  uint64_t call = 0;
  std::string id;
};
/// Removes the spec of a stopped child.
struct delete_child {
  uint64_t call = 0;
  std::string id;
};

} // namespace event

using supervisor_event = std::variant<event::begin, event::child_ready, event::child_ended, event::state_failed,
                                      event::timer_fired, event::stop, event::start_child, event::start_from_template,
                                      event::terminate_child, event::restart_child, event::delete_child>;

// -- what a supervisor does about it --------------------------------------------------------------

namespace action {

/// Start the child; tell `child_ready` or `child_ended` when it is known how that went, at once if it is known at once.
struct start {
  std::string id;
  incarnation number;
};
/// Ask the child to end by itself.
struct ask_stop {
  std::string id;
  incarnation number;
};
/// End the child without asking.
struct kill {
  std::string id;
  incarnation number;
};
/// Have the child go on with a new state, as incarnation `next` (T3).
struct replace_state {
  std::string id;
  incarnation number;
  incarnation next;
};
/// Say once more that the child's state was replaced: its shell asks, so the word may have been lost.
struct replace_again {
  std::string id;
  incarnation number;
};
/// The child is not to get a new state: have it end, with the cause of its failure.
struct end_failed {
  std::string id;
  incarnation number;
  exit_cause cause;
};
/// Tell `timer_fired` after `delay`; with a delay of 0 through the mailbox, after what already waits there (S5).
struct set_timer {
  uint64_t token = 0;
  nanoseconds delay{0};
};
/// The timer is not needed any more. It may still fire; its token is then unknown.
struct cancel_timer {
  uint64_t token = 0;
};
/// Answer a call of the dynamic API.
struct answer {
  uint64_t call = 0;
  call_result result;
};
/// Tell the world.
struct report {
  supervision_report what;
};
/// Nothing refers to this child any more: drop how to start it.
struct forget {
  std::string id;
};
/// All static children are ready: report ready to the parent.
struct ready {};
/// All children have ended: end with this cause.
struct finish {
  exit_cause cause;
};

} // namespace action

using supervisor_action =
  std::variant<action::start, action::ask_stop, action::kill, action::replace_state, action::replace_again,
               action::end_failed, action::set_timer, action::cancel_timer, action::answer, action::report,
               action::forget, action::ready, action::finish>;

} // namespace troupe
