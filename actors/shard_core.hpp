#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "actors/pace.hpp"
#include "actors/sum_tree.hpp"
#include "messages/membership.hpp"
#include "messages/step_set.hpp"
#include "messages/training.hpp"

namespace troupe {

/// A shard of the parameters through the life of its steps: collect → summed → applied. The pure core of the shard
/// holder (R1): it decides what counts, the shell holds the numbers. Nothing of a step is visible before the
/// coordinator commits it (R4). Several steps are collected at a time where the pace lets agents run ahead; they are
/// applied one after the other, in the order in which they commit.
class shard_core {
public:
  /// `bucket`: of micro-batches whose contributions are added up, because a robust rule looks at each sum; 0: all are.
  shard_core(member self, std::vector<block_id> blocks, pace how = {}, uint64_t bucket = 0)
    : self_(std::move(self)), blocks_(std::move(blocks)), pace_(how), bucket_(bucket) {}

  /// What the shell must do with a contribution.
  struct intake {
    partial_sums::verdict verdict = partial_sums::verdict::duplicate;
    std::vector<tree_node> replaced;         ///< forget these parts of the block
    std::vector<partial_sums::merge> merges; ///< then add these up, in order
    bool block_complete = false;             ///< everything is in: measure its norm
  };

  /// Parameters are in place that these steps have made. True if that is news: false where they are no newer, or the
  /// run has gone back since. `since`: the view in which it last went back when they were current.
  bool on_loaded(const step_set& applied, troupe::view since = {});
  /// Agents that have joined since the last view and need the parameters. Where the run went back (`rewound` rises),
  /// the shard is empty again until it is loaded.
  std::vector<member> on_view(const view_changed& v);
  intake on_push(const push_gradients& p);
  /// The whole sum of a block is there, from before: measure its norm. False: it is of no use.
  bool on_sum(step at, block_id block, uint64_t micro_batches);
  /// The norm of a block's sum was measured, and is the first of this block and step that is not finite: its
  /// contributions count no more (T6). True: forget them, and ask the agents for them again.
  bool rejects(step at, const block_norm& norm);
  /// Blocks of steps whose contributions were rejected, and have not come in again.
  [[nodiscard]] std::vector<std::pair<step, block_id>> rejected() const;
  /// Whether a contribution has to be finite to count.
  [[nodiscard]] bool doubts(const push_gradients& p) const;
  /// The norm of a block's sum was measured. True once all blocks of the step are: report `norms(at)`.
  bool on_norm(step at, const block_norm& norm);
  /// What to apply now, before `on_applied` is called: nothing while another update is under way or missing.
  std::optional<commit_step> on_commit(const commit_step& c);
  /// The update is done; the next one, if it has been committed meanwhile.
  std::optional<commit_step> on_applied();

  [[nodiscard]] bool loaded() const { return loaded_; }
  [[nodiscard]] bool applying() const { return applying_.has_value(); }
  [[nodiscard]] step version() const { return applied_.version(); }
  [[nodiscard]] const step_set& applied() const { return applied_; }
  /// The view in which the run last went back; what was begun before is void.
  [[nodiscard]] view rewound() const { return rewound_; }
  [[nodiscard]] const std::vector<member>& agents() const { return agents_; }
  /// Those who push: the aggregators, where there are any, else the agents.
  [[nodiscard]] const std::vector<member>& contributors() const {
    return aggregators_.empty() ? agents_ : aggregators_;
  }
  /// Steps of which all blocks are summed and measured, and which have not committed as far as is known here.
  [[nodiscard]] std::vector<step> summed() const;
  [[nodiscard]] bool summed(step at) const;
  [[nodiscard]] std::vector<block_norm> norms(step at) const;
  /// Names the view of its last load where it has seen none since: what it holds may be void by now.
  [[nodiscard]] origin from() const { return {self_.role, self_.incarnation, std::max(view_, rewound_)}; }
  [[nodiscard]] const member& self() const { return self_; }
  /// Contributions and commits that changed nothing because they were old, doubled, too stale or not ours (I13).
  [[nodiscard]] uint64_t dropped() const { return dropped_; }

private:
  struct collecting {
    std::map<block_id, partial_sums> sums;
    std::map<block_id, block_norm> norms;
    std::set<block_id> rejected; // once in a step
  };

  bool current(const origin& from) const;
  bool open(step at) const;
  void empty();
  std::optional<commit_step> next();

  member self_;
  std::vector<block_id> blocks_;
  pace pace_;
  uint64_t bucket_;
  view view_;
  view rewound_;
  std::vector<member> agents_;      // ascending
  std::vector<member> aggregators_; // ascending
  bool loaded_ = false;
  step_set applied_;
  std::optional<step> applying_;
  std::map<step, collecting> steps_;
  std::map<step, commit_step> commits_; // by version, waiting for those before
  uint64_t dropped_ = 0;
};

} // namespace troupe
