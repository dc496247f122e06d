#pragma once

#include <map>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "actors/pace.hpp"
#include "actors/sum_tree.hpp"
#include "messages/membership.hpp"
#include "messages/ring.hpp"
#include "messages/training.hpp"

namespace troupe {

/// Hierarchical aggregation: the pure core of the aggregator (R1). It adds up what a group of agents contributes, along
/// the same fixed tree as a shard holder does and as far as their micro-batches form whole nodes of it, and passes
/// these on. Which micro-batches are the group's says the data broker's plan. A sum that is passed on has the bits that
/// a shard holder would have got by itself, so it does not matter who adds up what (R6).
///
/// Contributions are kept until their step has taken effect: with another plan the step is begun over from them. The
/// aggregator has no clock: what may be lost is sent again when an agent pushes again, which it does until the step has
/// taken effect.
class aggregator_core {
public:
  /// `fan_in`: agents of a group. `bucket`: as in `partial_sums`.
  aggregator_core(member self, uint32_t fan_in, pace how, uint64_t bucket = 0)
    : self_(std::move(self)), fan_in_(fan_in), pace_(how), bucket_(bucket) {}

  /// Send `join` to the coordinator.
  struct announce {};
  /// Find out from the data broker who contributes what to `at`.
  struct ask_plan {
    step at;
  };
  /// Put a contribution into the sum of its block, forget what it replaces there, then add up, in order.
  struct add {
    step at;
    block_id block;
    tree_node node;
    std::vector<tree_node> replaced;
    std::vector<partial_sums::merge> merges;
  };
  /// Send the sum of this node, or the contribution that is one, to the block's shard holder.
  struct forward {
    push_gradients what; ///< without the values
  };
  /// What was added up for the step is void; contributions are kept.
  struct start_over {
    step at;
  };
  /// Contributions to the block count no more (T6): forget them, and what was added up of them.
  struct forget {
    step at;
    block_id block;
  };
  /// Have an agent push its own part again, and prove it first.
  struct reject {
    step at;
    block_id block;
    role_id to;
  };
  /// Nothing is needed any more of the steps before this one.
  struct release {
    step before;
  };
  using action = std::variant<announce, ask_plan, add, forward, start_over, forget, reject, release>;
  using actions = std::vector<action>;

  /// Who takes part has changed. Where the run went back (`rewound` rises), nothing that was contributed counts any
  /// more.
  actions on_view(const view_changed& v);
  actions on_plan(const step_plan& p);
  /// True: keep the gradient, before anything else is done.
  bool on_push(const push_gradients& p, actions& out);
  actions on_rejected(const reject_gradients& r);

  /// Whether a contribution has to be finite to count.
  [[nodiscard]] bool doubts(const push_gradients& p) const;
  /// The part of this group's that a contribution belongs to, as far as is known: a node that is passed on.
  [[nodiscard]] const tree_node* part_of(step at, tree_node n) const;
  [[nodiscard]] view rewound() const { return rewound_; }
  [[nodiscard]] view crew_since() const { return crew_since_; }
  [[nodiscard]] origin from() const { return {self_.role, self_.incarnation, view_}; }
  [[nodiscard]] const member& self() const { return self_; }
  /// Messages that changed nothing because they were old, doubled or not of this group (I13).
  [[nodiscard]] uint64_t dropped() const { return dropped_; }

private:
  using key = std::pair<block_id, tree_node>;
  struct adding_up {
    uint64_t micro_batches = 0;
    std::map<key, step> kept;     // contributions, and the version of the parameters that they were computed with
    bool planned = false;         // as the present crew has it
    std::vector<tree_node> cover; // the group's micro-batches
    std::map<block_id, partial_sums> sums;
    std::set<block_id> rejected; // once in a step
  };

  [[nodiscard]] bool contributes(const origin& from) const;
  void release_before(step version, actions& out);
  bool use(step at, adding_up& s, const key& which, actions& out);
  void repair(step at, const adding_up& s, const key& which, actions& out) const;
  void pass_on(step at, const adding_up& s, block_id block, tree_node n, actions& out) const;
  void send_on(step at, const adding_up& s, const key& which, actions& out) const;
  void pass_on_again(step at, const adding_up& s, block_id block, actions& out) const;
  [[nodiscard]] std::vector<tree_node> cover_of(const step_plan& p) const;
  static const tree_node* part_of(const adding_up& s, tree_node n);

  member self_;
  uint32_t fan_in_;
  pace pace_;
  uint64_t bucket_;
  view view_;
  view rewound_;
  view crew_since_;
  bool present_ = false;                   // in the last view
  std::vector<member> agents_;             // of the group
  std::map<role_id, incarnation> holders_; // the latest that were seen
  step floor_;                             // steps before this have taken effect at every shard
  std::map<step, adding_up> steps_;
  uint64_t dropped_ = 0;
};

} // namespace troupe
