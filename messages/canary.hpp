#pragma once

#include <cstdint>

namespace troupe {

/// Bugs that the simulations have to find, or they prove nothing. They exist only in objects that are compiled with
/// TROUPE_CANARIES for tests/simulation/canaries_test.cpp; everywhere else `planted` is a constant and costs nothing.
enum class canary : uint8_t {
  none,
  ack_without_attempt,           ///< results count without a look at the step and the incarnation they are of
  lease_not_queued_again,        ///< what a dead agent had leased is not leased again
  epoch_ends_too_early,          ///< the last step is taken for done before it is
  late_notice_removes_successor, ///< word of an old incarnation's end is taken for the new one's
  failed_restart_not_counted,    ///< a restart that fails does not count in the window
  window_on_wall_clock,          ///< restarts are counted on another clock than the actors'
  group_stops_forward,           ///< a group stops in the order in which it started
  latest_before_last_shard,      ///< a checkpoint counts before its shards are on the disk
  gradient_applied_twice,        ///< a contribution that is sent again is added again
  partial_sum_used,              ///< a sum counts as complete when a contributor dies
  partial_aggregate_used,        ///< an aggregator that is started again takes what it gets first for its whole part
  lock_freed_at_death,           ///< word of its holder's end frees a lock before its lease has run out
  token_reused_after_restart,    ///< a lock service that is started again counts its tokens from the beginning
};

#if defined(TROUPE_CANARIES)
/// Whether this bug is in the program now; tests/simulation/canaries.cpp.
bool planted(canary which);
#else
constexpr bool planted(canary) {
  return false;
}
#endif

} // namespace troupe
