#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "actors/sum_tree.hpp"
#include "messages/training.hpp"

namespace troupe {

/// A shard of the parameters through the life of a step: collect → summed → applied. The pure core of the shard holder
/// (R1): it decides what counts, the shell holds the numbers. Nothing of a step is visible before the coordinator
/// commits it (R4).
class shard_core {
public:
  shard_core(member self, std::vector<block_id> blocks) : self_(std::move(self)), blocks_(std::move(blocks)) {}

  /// What the shell must do with a contribution.
  struct intake {
    partial_sums::verdict verdict = partial_sums::verdict::duplicate;
    std::vector<tree_node> replaced;         ///< forget these parts of the block
    std::vector<partial_sums::merge> merges; ///< then add these up, in order
    bool block_complete = false;             ///< the root is in: measure its norm
  };

  /// Parameters of `version` are in place. True if that is news: false where they are no newer, or the run has gone
  /// back since. `since`: the view in which it last went back when they were current.
  bool on_loaded(step version, troupe::view since = {});
  /// Agents that have joined since the last view and need the parameters. Where the run went back (`rewound` rises),
  /// the shard is empty again until it is loaded.
  std::vector<member> on_view(const view_changed& v);
  intake on_push(const push_gradients& p);
  /// The norm of a block's sum was measured, and is the first of this block and step that is not finite: its
  /// contributions count no more (T6). True: forget them, and ask the agents for them again.
  bool rejects(step at, const block_norm& norm);
  /// Blocks of the step whose contributions were rejected, and have not come in again.
  [[nodiscard]] std::vector<block_id> rejected() const;
  /// Whether a contribution has to be finite to count.
  [[nodiscard]] bool doubts(const push_gradients& p) const;
  /// The norm of a block's sum was measured. True once all blocks of the step are: report `norms()`.
  bool on_norm(step at, block_norm norm);
  /// True: apply the update now, then call `on_applied`.
  bool on_commit(const commit_step& c);
  void on_applied();

  [[nodiscard]] bool loaded() const { return loaded_; }
  [[nodiscard]] step version() const { return version_; }
  /// The view in which the run last went back; what was begun before is void.
  [[nodiscard]] view rewound() const { return rewound_; }
  [[nodiscard]] const std::vector<member>& agents() const { return agents_; }
  [[nodiscard]] bool summed() const { return norms_.size() == blocks_.size(); }
  [[nodiscard]] std::vector<block_norm> norms() const;
  /// Names the view of its last load where it has seen none since: what it holds may be void by now.
  [[nodiscard]] origin from() const { return {self_.role, self_.incarnation, std::max(view_, rewound_)}; }
  [[nodiscard]] const member& self() const { return self_; }
  /// Contributions and commits that changed nothing because they were old, doubled or not ours (I13).
  [[nodiscard]] uint64_t dropped() const { return dropped_; }

private:
  bool current(const origin& from) const;

  member self_;
  std::vector<block_id> blocks_;
  view view_;
  view rewound_;
  std::vector<member> agents_;
  bool loaded_ = false;
  bool applying_ = false;
  step version_;
  std::map<block_id, partial_sums> sums_;
  std::map<block_id, block_norm> norms_;
  std::set<block_id> rejected_; // once in this step
  uint64_t dropped_ = 0;
};

} // namespace troupe
