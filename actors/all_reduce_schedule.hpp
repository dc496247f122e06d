#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "actors/sum_tree.hpp"

namespace troupe {

/// What a peer does with a chunk, once. It has a pile of parts of it: it puts one of its own there, or one that comes
/// from another peer; adds the two on top up; or sends the one on top.
struct exchange {
  enum class kind : uint8_t { own, take, add, send };

  kind what = kind::send;
  uint32_t round = 0; ///< of sending and taking: the same at both peers, and each of a taker's is another one
  uint32_t peer = 0;  ///< the place of the other one
  uint32_t part = 0;  ///< number of the own part

  bool operator==(const exchange&) const = default;
};

/// How peers all-reduce a gradient's buckets. Pure functions of the number of peers, the gradient's size and, for
/// `pairwise`, of who contributes what: so all of them do the same, and on every run.
///
/// * `ring`: a bucket is cut into a chunk for each of w peers. Chunk c starts at the peer behind its owner, goes once
///   around the ring while each peer adds its own, and is complete at its owner, peer c (reduce-scatter); from there it
///   goes around once more (all-gather). 2(w-1) rounds, 2n(w-1)/w floats sent by each: Patarasuk & Yuan 2009.
/// * `doubling`: a bucket is one chunk. In round k each of 2^m peers exchanges what it has with the one whose number
///   differs in bit k, and both add. Of w peers, where w is no power of two, the first 2(w - 2^m) form pairs, of which
///   one gives its part to the other before and gets the sum after. log2 w rounds, and those two, of n floats each:
///   recursive doubling of Thakur, Rabenseifner & Gropp 2005. a + b is b + a to the last bit, so both partners have the
///   same sum in each round, and all peers in the end.
/// * `pairwise`: a chunk for each of w peers, which its owner gets from each of the others and gives to each of them
///   when it is complete: pairwise exchange (same paper). Nodes of the tree over micro-batches are not added up before
///   they are with the owner, which follows that tree: so the sum has the same bits for any number of peers. Two
///   rounds, 2n(w-1)/w floats where each peer has one node, and n(w-1)/w for each further one.
enum class all_reduce_schedule : uint8_t { ring, doubling, pairwise };

/// A gradient of fewer floats is usually reduced by doubling: what it costs is its rounds. Measured by
/// `bench/all_reduce.py --schedules`, see docs/decisions/0020.
constexpr size_t usual_doubling_below = size_t{1} << 20;

/// That of a gradient of so many floats, all buckets together: they are under way at the same time.
all_reduce_schedule schedule_of(size_t floats);

/// Into how many chunks a bucket is cut.
uint32_t chunks_of(all_reduce_schedule how, uint32_t peers);

/// What the peer at `place` does with a chunk, in this order, around the ring or by doubling. Behind the last one the
/// chunk's whole sum is on top.
std::vector<exchange> exchanges_of(all_reduce_schedule how, uint32_t peers, uint32_t place, uint32_t chunk);

/// A node of the tree over micro-batches, and the place of the peer that has it.
struct contribution {
  tree_node node;
  uint32_t place = 0;
};

/// The same for pairwise exchange. `all`: contributions to the step, in the order of their micro-batches, of which a
/// peer's own ones are its parts; those of the others come in rounds of their numbers.
std::vector<exchange> pairwise_exchanges(const sum_tree& tree, const std::vector<contribution>& all, uint32_t peers,
                                         uint32_t place, uint32_t chunk);

} // namespace troupe
