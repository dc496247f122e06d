#pragma once

#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <variant>
#include <vector>

#include "actors/gossip_rounds.hpp"
#include "actors/peer_core.hpp"
#include "messages/gossip.hpp"
#include "messages/training.hpp"

namespace troupe {

/// Decentralised parallel SGD (Lian et al. 2017) as one of its peers sees it: the pure core of the gossip peer (R1).
///
/// Each peer has a replica of its own. In a step it updates it with its own agent's gradient, sends it to this step's
/// partner, and takes the mean of the two: adapt, then combine. It goes on with the result when the coordinator commits
/// the step, which it does when every peer has its result; until then the replica is what it was, so that a step takes
/// effect at every peer or nowhere (R4). A bucket is under way as soon as its blocks are in, while backward is still
/// busy with others.
///
/// When peers, agents or the broker change (`view_changed::crew_since`), the step begins anew with the partners of the
/// new members, from the gradients that each peer has kept. A peer that comes back behind the others, or has just
/// joined, takes another one's replica.
class gossip_core : public peer_core {
public:
  /// `states`: how many buffers of the parameters' size the optimiser keeps.
  gossip_core(member self, std::vector<peer_bucket> buckets, size_t states, gossip_rounds rounds)
    : peer_core(std::move(self), std::move(buckets)), states_(states), rounds_(rounds) {}

  /// Update a bucket with what was added up, then call `on_adapted`. Comes in place of `assemble`.
  struct adapt {
    uint32_t bucket;
    std::vector<tree_node> nodes;
  };
  /// Send what was made of a bucket to a partner; `what` has no values yet.
  struct send {
    member to;
    gossip_parameters what;
  };
  /// Take the mean of a bucket: the own, at its place, and these, by their places. Then call `on_mixed`.
  struct mix {
    uint32_t bucket;
    std::map<uint32_t, gossip_parameters> with;
  };
  /// The result of the step is whole: say so to the coordinator.
  struct report {};
  using action = std::variant<ask_plan, adapt, send, mix, report, fetch_model, start_over>;
  using actions = std::vector<action>;

  /// Parameters of `version` are in place. `since`: the view in which the run last went back when they were current.
  bool on_loaded(step version, view since, actions& out);
  actions on_view(const view_changed& v);
  actions on_plan(const step_plan& p);
  /// True: keep the gradient, for `adapt`.
  bool on_push(const push_gradients& p, actions& out);
  actions on_adapted(view since, uint32_t bucket);
  actions on_parameters(const gossip_parameters& p);
  actions on_mixed(view since, uint32_t bucket);
  /// True: go on with the result now, then call `on_applied`.
  bool on_commit(const commit_step& c);
  actions on_applied();
  /// Where a peer is has become known: what was sent to it before that is lost.
  actions on_bound(const member& who) const;
  /// Called at a steady pace while nothing comes: what may be lost is sent or asked for again.
  actions on_tick();

  /// There is a result, of these micro-batches.
  [[nodiscard]] bool summed() const { return made_in_.has_value(); }
  /// Of the step in progress.
  [[nodiscard]] const std::vector<plan_part>& own_parts() const { return own_parts_; }
  /// The optimiser's state is averaged, too.
  [[nodiscard]] bool with_state() const { return rounds_.states_alike_at(version_.next()); }
  [[nodiscard]] bool is_alone() const { return partners_.empty(); }

private:
  void begin_again(actions& out);
  void empty_step();
  void adapt_what_is_there(actions& out);
  void take(const gossip_parameters& p, actions& out);
  void mix_if_there(uint32_t bucket, actions& out);
  void mixed(uint32_t bucket, actions& out);
  void replay_early(actions& out);

  size_t states_;
  gossip_rounds rounds_;

  // The step in progress.
  std::vector<uint32_t> partners_; // places
  std::set<uint32_t> adapted_;
  std::map<uint32_t, std::map<uint32_t, gossip_parameters>> came_; // by bucket and place
  std::set<uint32_t> mixing_;
  std::set<uint32_t> mixed_;
  std::vector<send> sent_;
  std::optional<view> made_in_; // the members with whom the result was made
  /// Of a view or step that is not known here yet: by step, members, sender and bucket.
  std::map<std::tuple<step, view, role_id, uint32_t>, gossip_parameters> early_;
};

} // namespace troupe
