#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "supervision/children.hpp"
#include "supervision/events.hpp"
#include "supervision/restart_window.hpp"
#include "supervision/spec.hpp"

namespace troupe {

/// Everything a supervisor remembers between two events. Only `decide` changes it.
struct supervisor_state {
  enum class phase : uint8_t {
    idle,      ///< before `event::begin`
    starting,  ///< the static children start (S1)
    running,   ///< all have been ready once
    finishing, ///< all children stop, then `action::finish`
    finished,
  };

  /// `spec` must have passed `validate`. `floor` is the highest incarnation that an earlier life of this supervisor
  /// gave to any of its children: all numbers given from now on are higher (T2, S10).
  explicit supervisor_state(supervisor_spec spec, incarnation floor = {});

  supervisor_spec spec;
  child_table children;
  phase now_in = phase::idle;
  restart_window window;

  /// Positions whose turn to stop, one after another from the last, or to start, from the first, is still to come.
  std::set<uint64_t> to_stop;
  std::set<uint64_t> to_start;
  std::optional<uint64_t> stopping_now; ///< the child whose end those in `to_stop` wait for
  std::optional<uint64_t> starting_now; ///< the child whose readiness those in `to_start` wait for
  /// Positions of children whose group restart waits for their back-off or their turn of the mailbox: in one_for_all
  /// nothing starts before, in rest_for_one nothing from there on.
  std::set<uint64_t> gated;

  std::unordered_map<uint64_t, uint64_t> timers; ///< token → position, for timers of children
  uint64_t next_token = 1;
  std::shared_ptr<const child_spec> pattern; ///< the template of a simple_one_for_one supervisor
  uint64_t next_of_template = 0;
  incarnation floor;              ///< children that are added start above it
  exit_cause cause;               ///< what the supervisor will finish with
  bool significant_ended = false; ///< during the start: the supervisor ends once it is ready (S7)

  uint64_t restarts = 0;     ///< granted by the window, failed attempts included
  uint64_t late_notices = 0; ///< dropped: of an older incarnation, or of no child (T2, I13)
};

/// The whole behaviour of a supervisor: `(state, event, now) → actions`. No CAF, no clock, no I/O (R1). Actions are to
/// be carried out in order; what they bring about comes back as further events. `now` must not go back.
///
/// Where it differs from OTP, it is for training that waits for devices and other nodes:
/// - A supervisor that gives up ends as `escalated`, an abnormal end, with the chain of causes. OTP's ends by shutdown,
///   so that a transient subtree would be gone without a word.
/// - Starts may take their time, have a limit, and are overtaken by a stop. Meanwhile deaths and calls are handled.
/// - In group strategies what a caller starts waits for its turn in the order of the children.
/// - A child that even a kill does not end makes every supervisor above it give up: its process has to end (S6).
std::vector<supervisor_action> decide(supervisor_state& state, const supervisor_event& event, time_point now);

/// One line of a list of children (S8).
struct child_status {
  std::string id;
  child_state state = child_state::stopped;
  incarnation number;
  restart_type restart = permanent;
  child_kind kind = child_kind::worker;

  bool operator==(const child_status&) const = default;
};

/// As in OTP: `active` are those with an actor, `supervisors` and `workers` count specs whether they run or not.
struct child_counts {
  size_t specs = 0;
  size_t active = 0;
  size_t supervisors = 0;
  size_t workers = 0;

  bool operator==(const child_counts&) const = default;
};

/// The children in start order.
std::vector<child_status> list_children(const supervisor_state& state);
child_counts count_children(const supervisor_state& state);

} // namespace troupe
