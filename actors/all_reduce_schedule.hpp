#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "actors/sum_tree.hpp"

namespace troupe {

/// What a peer does with a chunk, once. It has a pile of parts of it: it puts one of its own there, or one that comes
/// from another peer; adds the two on top up, of the lower one as much as the upper one is of; joins the two, which are
/// neighbours; or sends the one on top or a piece of it.
struct exchange {
  enum class kind : uint8_t { own, take, add, join, send };

  kind what = kind::send;
  uint32_t round = 0; ///< of sending and taking: the same at both peers, and each of a taker's is another one
  uint32_t peer = 0;  ///< the place of the other one
  uint32_t part = 0;  ///< number of the own part
  uint32_t first = 0; ///< pieces [first, last) of the chunk are sent or taken
  uint32_t last = 1;

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
/// * `halving`: a bucket is one chunk of 2^m pieces. In round k of the first m each of 2^m peers gives half of what it
///   has to the one whose number differs in bit m - 1 - k, and adds what comes to the other half (reduce-scatter); in
///   the last m they give sums back the same way (all-gather). Of w peers, where w is no power of two, some form pairs
///   as above. 2 log2 w rounds, 2n(w-1)/w floats: recursive halving and doubling (same paper).
/// * `pairwise`: a chunk for each of w peers, which its owner gets from each of the others, adds up over a tree and
///   gives to each of them: pairwise exchange (same paper). 2 rounds, 2n(w-1)/w floats. The tree is one over peers or
///   over micro-batches: then the sum has the same bits for any number of peers, see `pairwise_exchanges`.
enum class all_reduce_schedule : uint8_t { ring, doubling, halving, pairwise };

/// The usual one of a gradient of so many floats, all buckets together: they are under way at the same time. Fewer than
/// 8 peers are quickest by doubling below 2 MiB, two of them below 8 MiB, and pairwise from there on: measured by
/// `bench/all_reduce.py --schedules`. For more, which are on several hosts, it is the quickest by the formulas of
/// Thakur et al., at 0.1 ms for a message and 1 GB/s. See docs/decisions/0020 and 0024.
all_reduce_schedule schedule_of(size_t floats, uint32_t peers);

struct all_reduce_options {
  std::optional<all_reduce_schedule> schedule = {}; ///< none: that of `schedule_of`
  bool reproducible = false;                        ///< instead: pairwise, along the tree over micro-batches
};

/// Into how many chunks a bucket is cut.
uint32_t chunks_of(all_reduce_schedule how, uint32_t peers);

/// Of how many pieces a chunk is.
uint32_t pieces_of(all_reduce_schedule how, uint32_t peers);

/// What the peer at `place` does with a chunk, in this order. Behind the last one the chunk's whole sum is on top.
std::vector<exchange> exchanges_of(all_reduce_schedule how, uint32_t peers, uint32_t place, uint32_t chunk);

/// A node of the tree over micro-batches or peers, and the place of the peer that has it.
struct contribution {
  tree_node node;
  uint32_t place = 0;
};

/// The same for pairwise exchange along a tree. `all`: what makes up its root, in this order, of which a peer's own
/// ones are its parts, in rounds of their numbers. Where a peer has more than one of them, it sends n(w-1)/w floats for
/// each further one.
std::vector<exchange> pairwise_exchanges(const sum_tree& tree, const std::vector<contribution>& all, uint32_t peers,
                                         uint32_t place, uint32_t chunk);

} // namespace troupe
