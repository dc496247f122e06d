#pragma once

#include <cstdint>

#include "messages/ids.hpp"

namespace troupe {

/// The staleness dial: how far work may run ahead of the parameters it is for.
///
/// * synchronous: step s is computed with the parameters of version s and nothing else.
/// * bounded(k), stale-synchronous (Ho et al. 2013): step s may be computed with parameters from version s-k on. Steps
///   commit in their order, so no gradient is older than k updates when it is applied. k = 0 is synchronous.
/// * asynchronous (Dean et al. 2012): a step is one agent's work, computed with the newest parameters that the agent
///   has, and applied as soon as it is complete, whatever became of the steps before it. An agent has at most two steps
///   under way, so that the others' are what makes its parameters old. Epochs and checkpoints end with a step that
///   waits for all before it.
///
/// In each of them a step takes effect once and whole, and no more than `ahead` + 1 steps are worked on at a time.
struct pace {
  uint64_t ahead = 0;   ///< steps beyond the oldest one that has not committed that may be worked on
  bool in_order = true; ///< steps commit in their order

  static pace synchronous() { return {}; }
  static pace bounded(uint64_t k) { return {k, true}; }
  /// Enough steps for an agent to be several times as fast as the slowest one without ever waiting for it.
  static pace asynchronous(uint64_t agents) { return {8 * agents, false}; }

  /// Whether a gradient for `at` may have been computed with parameters of version `base`.
  [[nodiscard]] bool fresh(step at, step base) const { return !in_order || base.value + ahead >= at.value; }

  bool operator==(const pace&) const = default;
};

} // namespace troupe
