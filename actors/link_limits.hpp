#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace troupe {

/// What others can make a process spend on them that uses the network, at most (R13).
struct link_limits {
  /// From a connection's first packet until it is let through. Whoever needs longer is dropped.
  std::chrono::milliseconds greeting{5000};
  /// A connection on which nothing has come for so long, or nothing gets through, is given up: the other host is gone,
  /// or the network to it. Later than a peer is (`failure_detector`), which may come back until then.
  std::chrono::milliseconds silence{10'000};
  /// The same between two worker processes where nothing gets through: what they send each other then goes by way of
  /// the leader, and nobody ends.
  std::chrono::milliseconds silence_of_workers{3000};
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
