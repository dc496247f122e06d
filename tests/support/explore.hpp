#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/simulation.hpp"

namespace troupe::testing {

/// A topology, the most that may go wrong with it, and what must hold.
struct scenario {
  fault_mix most;
  /// Builds the topology in the simulation, lets the storm pass, and expects what must come about.
  std::function<void(simulation&)> play;
};

/// What a seed led to that must not be.
struct finding {
  uint64_t seed = 0;
  std::string sentence; ///< "I4: …"
  std::string mix;      ///< what went wrong in the run
  std::string end;      ///< the last lines of its trace
};

/// Plays a range of seeds until one finds something. Each seed is played twice, and both runs must leave the same trace
/// (I14).
struct exploration {
  uint64_t played = 0; ///< seeds
  uint64_t steps = 0;  ///< messages and pieces of work, over all runs
  nanoseconds virtual_time{0};
  double seconds = 0; ///< of real time
  std::optional<finding> found;
};
exploration explore(const scenario& what, uint64_t first, uint64_t count);

/// The main function of a simulation: `--seeds N [--first S]` plays many, `--seed S` replays one and prints its trace.
/// On a finding it prints the command that replays it, first, then what must not be, then the end of the trace.
/// 0: nothing was found. 1: something was. 2: the arguments are not understood.
int simulate(const scenario& what, int count, char** arguments);

} // namespace troupe::testing
