#pragma once

#include <caf/actor_system.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "messages/failure.hpp"
#include "messages/interfaces.hpp"
#include "messages/ping.hpp"

namespace troupe {

/// How a connection is measured.
struct meter_options {
  uint32_t round_trips = 200;                ///< of small messages, that count
  uint32_t loads = 8;                        ///< each way, at most
  uint64_t load_bytes = uint64_t{16} << 20;  ///< of each; less where the connection is slow
  std::chrono::milliseconds loads_for{2000}; ///< no further load is sent after so long, each way
  std::chrono::milliseconds limit{10000};    ///< for each answer (R7)

  /// One sentence where a peer asks for more than a node does for it (R13).
  [[nodiscard]] expected<void> check() const;
};

/// What was seen of a connection: how long each answer took.
struct link_samples {
  using times = std::vector<std::chrono::nanoseconds>;

  times round_trips;
  times loads_to;   ///< until a small message acknowledged a load
  times loads_from; ///< until a load answered a small message
  uint64_t load_bytes = 0;
};

/// Pure (R1). Percentiles are by nearest rank. A load's own time is what its answer took beyond a small message's; the
/// median load counts.
link_figures figures_of(link_samples seen);

/// Measures the connection to a node; blocks. One sentence where it does not answer.
expected<link_figures> measure(caf::actor_system& system, const node_actor& node, const meter_options& how);

/// Connects to the node at HOST:PORT first.
expected<link_figures> measure(caf::actor_system& system, const std::string& address, const meter_options& how);

} // namespace troupe
