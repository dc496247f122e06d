#pragma once

#include <string>

#include "tests/support/dice.hpp"

namespace troupe::testing {

/// What goes wrong in one simulated run, and how often. A test gives the most that its topology is built to stand; each
/// seed draws a mix below that.
struct fault_mix {
  // Messages between two hosts. Only those that ask for no answer are lost or doubled; what a connection carries in
  // order (requests, answers, exits) is only held up, or lost with the connection.
  double loss = 0;                                    ///< chance of a message to get lost
  double twice = 0;                                   ///< chance of a message to come twice
  double reorder = 0;                                 ///< chance of a message to be overtaken
  nanoseconds delay = std::chrono::microseconds{200}; ///< a message takes between a tenth of it and it

  // Times per second of virtual time.
  double kills = 0;   ///< of an actor: by kill, an exception or an error
  double crashes = 0; ///< of a host with all that is on it; it boots again after a while
  double pauses = 0;  ///< of a host: its actors stand still, then go on as if nothing had been
  double cuts = 0;    ///< of a link: short ones are only felt, long ones lose the connection

  double disk_faults = 0; ///< chance of an operation on a `simulated_disk` to fail
  double haste = 0;       ///< chance of time, up to 50 ms, to pass although messages wait

  /// Each kind is absent in about half of the runs, because a fault can hide what another one would show (Groce et al.,
  /// "Swarm testing", 2012).
  static fault_mix draw(dice& with, const fault_mix& most);
  /// No faults; messages take as long as before.
  [[nodiscard]] fault_mix calmed() const { return {.delay = delay}; }
};

/// "loss 0.12, kills 0.5/s, delay 3 ms"
std::string to_string(const fault_mix& mix);

} // namespace troupe::testing
