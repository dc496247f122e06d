#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "actors/all_reduce_schedule.hpp"
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

  [[nodiscard]] size_t size() const { return last - first; }
  static chunk_range of(size_t size, uint32_t chunks, uint32_t index);
};

/// All-reduce among agents as one of its peers sees it: the pure core of the ring peer (R1).
///
/// Each of w peers has the gradient of its own agent's micro-batches. How they exchange the chunks of its buckets is an
/// `all_reduce_schedule`, which depends on how much there is of it and how many they are. A peer works through a
/// chunk's `exchange`s one by one, as what they need comes in, so the order of summation is that of the schedule (R6).
/// Where it is to be that of the tree over micro-batches, a peer keeps its agent's nodes of that tree apart. A bucket
/// is under way as soon as its blocks are in, while backward is still busy with others.
///
/// When peers, agents or the broker change (`view_changed::crew_since`), the ring is formed again and the step is
/// reduced anew from the gradients that each peer has kept: nothing is computed twice but what is lost. A step is
/// applied when the coordinator commits it, which it does when every peer has the whole sum.
class ring_core : public peer_core {
public:
  /// `how`: the same for all peers.
  ring_core(member self, std::vector<ring_bucket> buckets, all_reduce_options how = {});

  /// Send a chunk to another peer.
  struct send {
    member to;
    ring_chunk what;
  };
  /// Add two parts of a chunk, then call `on_reduced`.
  struct reduce {
    uint32_t bucket;
    uint32_t chunk;
    payload left;
    payload right;
    chunk_range where; ///< of the bucket
    bool last;         ///< it is the sum of all then
  };
  /// Put two parts of the sum where they belong, one behind the other; then call `on_reduced` with both.
  struct join {
    uint32_t bucket;
    uint32_t chunk;
    payload left;
    payload right;
    chunk_range where; ///< of the bucket
  };
  /// The chunk is part of the sum.
  struct complete {
    uint32_t bucket;
    uint32_t chunk;
    payload values;
    chunk_range where; ///< of the bucket
  };
  /// Everything is there: measure the norms of all blocks, then report.
  struct measure {
    step at;
  };
  using action = std::variant<ask_plan, assemble, send, reduce, join, complete, measure, fetch_model, start_over>;
  using actions = std::vector<action>;

  /// Parameters of `version` are in place. `since`: the view in which the run last went back when they were current.
  bool on_loaded(step version, view since, actions& out);
  actions on_view(const view_changed& v);
  actions on_plan(const step_plan& p);
  /// True: keep the gradient, for `assemble`, which is followed by `on_assembled`.
  bool on_push(const push_gradients& p, actions& out);
  /// `own`: the bucket's own part; each node of it, where they are kept apart.
  actions on_assembled(view since, uint32_t bucket, const std::vector<payload>& own);
  actions on_chunk(const ring_chunk& c);
  /// `values` have been made by `reduce` or `join`.
  actions on_reduced(view since, step at, uint32_t bucket, uint32_t chunk, payload values);
  /// The norms were measured. True: report them.
  bool on_norms(view since, step at, std::vector<block_norm> norms);
  /// True: apply the sum now, then call `on_applied`.
  bool on_commit(const commit_step& c);
  actions on_applied();
  /// Where a peer is has become known: what was sent to it before that is lost.
  actions on_bound(const member& who) const;
  /// Called at a steady pace while nothing comes: what may be lost is sent or asked for again.
  actions on_tick();

  [[nodiscard]] bool summed() const { return !norms_.empty(); }
  [[nodiscard]] const std::vector<block_norm>& norms() const { return norms_; }
  [[nodiscard]] all_reduce_schedule schedule() const {
    return how_.reproducible ? all_reduce_schedule::pairwise : how_.schedule.value_or(schedule_of(floats_, peers()));
  }
  /// Into how many chunks each bucket is cut.
  [[nodiscard]] uint32_t chunks() const { return chunks_of(schedule(), peers()); }
  /// Whether nodes of the tree over micro-batches stay apart in the own part.
  [[nodiscard]] bool keeps_nodes_apart() const { return how_.reproducible; }

private:
  struct chunk_key {
    uint32_t bucket;
    uint32_t chunk;
    uint32_t round;
    auto operator<=>(const chunk_key&) const = default;
  };
  struct held {
    payload values;
    uint64_t covered = 0; // micro-batches in them
    uint32_t first = 0;   // pieces of the chunk
    uint32_t last = 1;
  };
  /// What this peer does with a chunk, and how far it is.
  struct chunk_work {
    std::vector<exchange> exchanges;
    size_t done = 0;
    bool busy = false; // with the last one that is done
    std::vector<held> pile;

    [[nodiscard]] bool whole() const;
    [[nodiscard]] bool summed() const;
  };

  void start_over_if_begun(actions& out);
  void empty_step();
  void assemble_what_is_there(actions& out);
  [[nodiscard]] bool waits_for_plan() const { return keeps_nodes_apart() && !plan_; }
  [[nodiscard]] std::optional<std::vector<contribution>> contributions(const step_plan& p) const;
  [[nodiscard]] chunk_range range_of(uint32_t bucket, uint32_t chunk, uint32_t first, uint32_t last) const;
  [[nodiscard]] payload cut(uint32_t bucket, uint32_t chunk, const held& of, uint32_t first, uint32_t last) const;
  void combine(uint32_t bucket, uint32_t chunk, actions& out);
  [[nodiscard]] held own(uint32_t bucket, uint32_t chunk, uint32_t number) const;
  void take(const ring_chunk& c, actions& out);
  chunk_work& work_on(uint32_t bucket, uint32_t chunk);
  void go_on(uint32_t bucket, uint32_t chunk, actions& out);
  void catch_up(step current, actions& out);
  void replay_early(actions& out);

  all_reduce_options how_;
  size_t floats_ = 0;

  // The step in progress.
  std::vector<contribution> contributions_;                  // where nodes are kept apart
  std::map<uint32_t, std::vector<payload>> assembled_;       // by bucket
  std::map<std::pair<uint32_t, uint32_t>, chunk_work> work_; // by bucket and chunk
  std::map<chunk_key, ring_chunk> parked_;                   // until their round
  std::vector<send> sent_;
  size_t incomplete_ = 0; // chunks
  std::vector<block_norm> norms_;
  std::map<std::tuple<step, view, chunk_key>, ring_chunk> early_; // of a view, step or plan that is not known here yet
};

} // namespace troupe
