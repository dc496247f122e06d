#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace troupe {

/// What a peer does with a chunk, once: it sends what it has, adds what comes to it, or takes what comes in its place.
struct exchange {
  enum class kind : uint8_t { send, add, take };

  kind what = kind::send;
  uint32_t round = 0; ///< of the chunk: the same number at the sender and the receiver
  uint32_t peer = 0;  ///< the place of the other one

  bool operator==(const exchange&) const = default;
};

/// How peers all-reduce a gradient's buckets. Pure functions of the number of peers and the gradient's size, so that
/// all of them do the same, and on every run.
///
/// * `ring`: a bucket is cut into a chunk for each of w peers. Chunk c starts at the peer behind its owner, goes once
///   around the ring while each peer adds its own, and is complete at its owner, peer c (reduce-scatter); from there it
///   goes around once more (all-gather). 2(w-1) rounds, 2n(w-1)/w floats sent by each: Patarasuk & Yuan 2009.
/// * `doubling`: a bucket is one chunk. In round k each of 2^m peers exchanges what it has with the one whose number
///   differs in bit k, and both add. Of w peers, where w is no power of two, the first 2(w - 2^m) form pairs, of which
///   one gives its part to the other before and gets the sum after. log2 w rounds, and those two, of n floats each:
///   recursive doubling of Thakur, Rabenseifner & Gropp 2005. a + b is b + a to the last bit, so both partners have the
///   same sum in each round, and all peers in the end.
enum class all_reduce_schedule : uint8_t { ring, doubling };

/// A gradient of fewer floats is usually reduced by doubling: what it costs is its rounds. Measured by
/// `bench/all_reduce.py --schedules`, see docs/decisions/0020.
constexpr size_t usual_doubling_below = size_t{1} << 20;

/// That of a gradient of so many floats, all buckets together: they are under way at the same time.
all_reduce_schedule schedule_of(size_t floats, size_t doubling_below);

/// Into how many chunks a bucket is cut.
uint32_t chunks_of(all_reduce_schedule how, uint32_t peers);

/// What the peer at `place` does with a chunk, in this order. Behind the last one it has the chunk's whole sum.
std::vector<exchange> exchanges_of(all_reduce_schedule how, uint32_t peers, uint32_t place, uint32_t chunk);

} // namespace troupe
