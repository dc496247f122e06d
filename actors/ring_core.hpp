#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "actors/peer_core.hpp"
#include "messages/membership.hpp"
#include "messages/ring.hpp"
#include "messages/training.hpp"

namespace troupe {

using ring_bucket = peer_bucket;

/// The part of a bucket that one peer sums up: [first, last), in floats, multiples of 16.
struct chunk_range {
  size_t first = 0;
  size_t last = 0;

  static chunk_range of(size_t size, uint32_t chunks, uint32_t index);
};

/// Ring all-reduce (Patarasuk & Yuan 2009) as one of its peers sees it: the pure core of the ring peer (R1).
///
/// Each of w peers has the gradient of its own agent's micro-batches. A bucket is cut into w chunks. Chunk c starts at
/// the peer behind its owner, goes once around the ring while each peer adds its own, and is complete at its owner,
/// peer c (reduce-scatter); from there it goes around once more (all-gather). The order of summation is that of the
/// ring (R6). A bucket is under way as soon as its blocks are in, while backward is still busy with others.
///
/// When peers, agents or the broker change (`view_changed::crew_since`), the ring is formed again and the step is
/// reduced anew from the gradients that each peer has kept: nothing is computed twice but what is lost. A step is
/// applied when the coordinator commits it, which it does when every peer has the whole sum.
class ring_core : public peer_core {
public:
  ring_core(member self, std::vector<ring_bucket> buckets) : peer_core(std::move(self), std::move(buckets)) {}

  /// Send a chunk to the next peer; reduce: of the own gradient, where `values` is empty.
  struct send {
    member to;
    ring_chunk what;
  };
  /// Add the own part of the chunk to what came, then call `on_reduced`.
  struct reduce {
    ring_chunk what;
  };
  /// The chunk is part of the sum.
  struct complete {
    uint32_t bucket;
    uint32_t chunk;
    payload values; ///< empty: of the own gradient, there are no other peers
  };
  /// Everything is there: measure the norms of all blocks, then report.
  struct measure {
    step at;
  };
  using action = std::variant<ask_plan, assemble, send, reduce, complete, measure, fetch_model, start_over>;
  using actions = std::vector<action>;

  /// Parameters of `version` are in place. `since`: the view in which the run last went back when they were current.
  bool on_loaded(step version, view since, actions& out);
  actions on_view(const view_changed& v);
  actions on_plan(const step_plan& p);
  /// True: keep the gradient, for `assemble`, which is followed by `on_assembled`.
  bool on_push(const push_gradients& p, actions& out);
  actions on_assembled(view since, uint32_t bucket);
  actions on_chunk(const ring_chunk& c);
  /// `c.values` has been made by `reduce`.
  actions on_reduced(ring_chunk c);
  /// The norms were measured. True: report them.
  bool on_norms(view since, step at, std::vector<block_norm> norms);
  /// True: apply the sum now, then call `on_applied`.
  bool on_commit(const commit_step& c);
  actions on_applied();
  /// Where a peer is has become known: what was sent to the next one before that is lost.
  actions on_bound(const member& who) const;
  /// Called at a steady pace while nothing comes: what may be lost is sent or asked for again.
  actions on_tick();

  [[nodiscard]] bool summed() const { return !norms_.empty(); }
  [[nodiscard]] const std::vector<block_norm>& norms() const { return norms_; }

private:
  struct chunk_key {
    bool gather;
    uint32_t bucket;
    uint32_t chunk;
    auto operator<=>(const chunk_key&) const = default;
  };

  void start_over_if_begun(actions& out);
  void empty_step();
  void assemble_what_is_there(actions& out);
  void take(const ring_chunk& c, actions& out);
  void pass_on(bool gather, uint32_t bucket, uint32_t chunk, uint64_t covered, payload values, actions& out);
  void completed(uint32_t bucket, uint32_t chunk, payload values, actions& out);
  void catch_up(step current, actions& out);
  void replay_early(actions& out);
  [[nodiscard]] const member& next() const { return peers_[(place_ + 1) % peers_.size()]; }
  [[nodiscard]] const member& previous() const { return peers_[(place_ + peers_.size() - 1) % peers_.size()]; }

  // The step in progress.
  std::set<uint32_t> assembled_;
  std::set<chunk_key> seen_;
  std::map<std::pair<uint32_t, uint32_t>, ring_chunk> parked_; // until the own part is there
  std::vector<send> sent_;
  size_t complete_ = 0;
  std::vector<block_norm> norms_;
  std::map<std::tuple<step, view, chunk_key>, ring_chunk> early_; // of a view or step that is not known here yet
};

} // namespace troupe
