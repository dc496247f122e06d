#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace troupe {

/// What others can make a process spend on them that uses the network, at most (R13).
struct link_limits {
  /// From a connection's first packet until it is let through. Whoever needs longer is dropped.
  std::chrono::milliseconds greeting{5000};
  /// Connections that are not let through yet; past this the one that has kept silent for longest goes.
  size_t strangers = 256;
  /// Connections that are.
  size_t peers = 1024;
  /// Of one message on the wire: the parameters of the largest shard have to fit, and its optimiser's state.
  uint64_t frame_bytes = uint64_t{1} << 30;
  /// That wait to be sent to a peer which does not read; past this its connection is closed.
  uint64_t unsent_bytes = uint64_t{4} << 30;
};

} // namespace troupe
