#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "actors/sum_tree.hpp"
#include "messages/membership.hpp"
#include "messages/ring.hpp"
#include "messages/training.hpp"

namespace troupe {

/// Blocks that are all-reduced together, and the floats they have, one behind the other.
struct ring_bucket {
  std::vector<block_id> blocks; ///< ascending
  size_t size = 0;
};

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
class ring_core {
public:
  ring_core(member self, std::vector<ring_bucket> buckets) : self_(std::move(self)), buckets_(std::move(buckets)) {}

  /// Find out from the data broker who contributes what to `at`.
  struct ask_plan {
    step at;
  };
  /// Add up these nodes of each of the bucket's blocks, then call `on_assembled`. No nodes: all zero.
  struct assemble {
    uint32_t bucket;
    std::vector<tree_node> nodes;
  };
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
  /// Get the parameters as of `version` from another peer.
  struct fetch_model {
    member from;
    step version;
  };
  /// What was begun for the step in the ring before is void; keep what the agent has pushed.
  struct start_over {};
  using action = std::variant<ask_plan, assemble, send, reduce, complete, measure, fetch_model, start_over>;
  using actions = std::vector<action>;

  /// Parameters of `version` are in place. `since`: the view in which the run last went back when they were current.
  bool on_loaded(step version, view since, actions& out);
  actions on_view(const view_changed& v);
  actions on_plan(const step_plan& p);
  /// True: keep the gradient, for `assemble`.
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

  /// Nothing has come since the last tick.
  [[nodiscard]] bool idle() const { return !progress_ && !applying_; }
  [[nodiscard]] bool loaded() const { return loaded_; }
  [[nodiscard]] step version() const { return version_; }
  [[nodiscard]] bool summed() const { return !norms_.empty(); }
  [[nodiscard]] const std::vector<block_norm>& norms() const { return norms_; }
  [[nodiscard]] view rewound() const { return rewound_; }
  [[nodiscard]] view crew_since() const { return since_; }
  [[nodiscard]] const std::vector<ring_bucket>& buckets() const { return buckets_; }
  /// Which chunks this peer sums up last.
  [[nodiscard]] uint32_t place() const { return place_; }
  [[nodiscard]] uint32_t peers() const { return static_cast<uint32_t>(ring_.size()); }
  /// The agent whose gradients these are, if it takes part.
  [[nodiscard]] const std::optional<member>& agent() const { return agent_; }
  [[nodiscard]] origin from() const { return {self_.role, self_.incarnation, std::max(view_, rewound_)}; }
  [[nodiscard]] const member& self() const { return self_; }
  [[nodiscard]] uint64_t dropped() const { return dropped_; }

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
  [[nodiscard]] const member& next() const { return ring_[(place_ + 1) % ring_.size()]; }
  [[nodiscard]] const member& previous() const { return ring_[(place_ + ring_.size() - 1) % ring_.size()]; }

  member self_;
  std::vector<ring_bucket> buckets_;
  view view_;
  view rewound_;
  view since_;
  std::vector<member> ring_; // in rank order
  uint32_t place_ = 0;       // own place in it
  std::optional<member> agent_;
  bool loaded_ = false;
  bool applying_ = false;
  step version_;
  step current_; // of the run, as far as is known

  // The step in progress.
  std::map<block_id, std::set<tree_node>> pushed_;
  std::optional<step_plan> plan_;
  std::vector<tree_node> mine_; // nodes that are this peer's part of the plan
  uint64_t covered_ = 0;        // micro-batches of the own part
  std::set<uint32_t> assembling_;
  std::set<uint32_t> assembled_;
  std::set<chunk_key> seen_;
  std::map<std::pair<uint32_t, uint32_t>, ring_chunk> parked_; // until the own part is there
  std::vector<send> sent_;
  size_t complete_ = 0;
  std::vector<block_norm> norms_;
  std::map<std::tuple<step, view, chunk_key>, ring_chunk> early_; // of a view or step that is not known here yet
  uint32_t donor_ = 0;
  bool progress_ = false;
  uint64_t dropped_ = 0;
};

} // namespace troupe
