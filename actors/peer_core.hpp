#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "actors/sum_tree.hpp"
#include "messages/membership.hpp"
#include "messages/ring.hpp"
#include "messages/training.hpp"

namespace troupe {

/// Blocks that go from peer to peer together, and the floats they have, one behind the other.
struct peer_bucket {
  std::vector<block_id> blocks; ///< ascending
  size_t size = 0;
};

/// What ring peers and gossip peers have in common, without actors: who takes part, which version of the model is held,
/// which gradients the agent has pushed, and who contributes what to the step in progress. A part of the pure cores
/// (R1): what becomes of a step is theirs.
class peer_core {
public:
  /// Find out from the data broker who contributes what to `at`.
  struct ask_plan {
    step at;
  };
  /// Add up these nodes of each of the bucket's blocks. No nodes: all zero.
  struct assemble {
    uint32_t bucket;
    std::vector<tree_node> nodes;
  };
  /// Get the parameters as of `version` from another peer.
  struct fetch_model {
    member from;
    step version;
  };
  /// What was begun for the step with the members before is void; keep what the agent has pushed.
  struct start_over {};

  /// Nothing has come since the last tick.
  [[nodiscard]] bool idle() const { return !progress_ && !applying_; }
  [[nodiscard]] bool loaded() const { return loaded_; }
  [[nodiscard]] step version() const { return version_; }
  [[nodiscard]] view rewound() const { return rewound_; }
  [[nodiscard]] view crew_since() const { return since_; }
  [[nodiscard]] const std::vector<peer_bucket>& buckets() const { return buckets_; }
  /// Its own among the peers, in rank order.
  [[nodiscard]] uint32_t place() const { return place_; }
  [[nodiscard]] uint32_t peers() const { return static_cast<uint32_t>(peers_.size()); }
  /// The agent whose gradients these are, if it takes part.
  [[nodiscard]] const std::optional<member>& agent() const { return agent_; }
  [[nodiscard]] origin from() const { return {self_.role, self_.incarnation, std::max(view_, rewound_)}; }
  [[nodiscard]] const member& self() const { return self_; }
  [[nodiscard]] uint64_t dropped() const { return dropped_; }

protected:
  peer_core(member self, std::vector<peer_bucket> buckets) : self_(std::move(self)), buckets_(std::move(buckets)) {}

  struct view_news {
    bool stale = false;     ///< nothing changes
    bool went_back = false; ///< what is held is void
    bool new_crew = false;  ///< what is under way begins anew
  };

  /// False: nothing changes.
  bool take_model(step version, view since);
  view_news take_view(const view_changed& v);
  /// Of a peer that is not where this one is, if the run is further than this one: none is as good as the next.
  std::optional<fetch_model> behind(step current);
  /// False: it is not that of the step in progress, or not whole.
  bool take_plan(const step_plan& p);
  /// False: it does not count.
  bool take_push(const push_gradients& p);
  /// Buckets of whose own part everything has come since this was asked last.
  std::vector<assemble> to_assemble();
  /// The step that made the version before has been applied.
  void take_update();
  void forget_plan();
  /// Whether there is a step to ask for a plan of.
  [[nodiscard]] bool takes_part() const { return loaded_ && !peers_.empty(); }

  member self_;
  std::vector<peer_bucket> buckets_;
  view view_;
  view rewound_;
  view since_;
  std::vector<member> peers_; // in rank order
  uint32_t place_ = 0;        // own place among them
  std::optional<member> agent_;
  bool loaded_ = false;
  bool applying_ = false;
  step version_;
  step current_; // of the run, as far as is known
  bool progress_ = false;
  uint64_t dropped_ = 0;

  // The step in progress.
  std::map<block_id, std::set<tree_node>> pushed_;
  std::optional<step_plan> plan_;
  std::vector<plan_part> own_parts_;
  std::vector<tree_node> mine_; // nodes that are this peer's part of the plan, ascending
  uint64_t covered_ = 0;        // micro-batches of the own part
  std::set<uint32_t> assembling_;

private:
  uint32_t donor_ = 0;
};

} // namespace troupe
