#pragma once

#include <map>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "actors/pace.hpp"
#include "messages/evaluation.hpp"
#include "messages/leases.hpp"
#include "messages/membership.hpp"
#include "messages/step_set.hpp"
#include "messages/training.hpp"

namespace troupe {

/// An agent through a run: collect parameters, compute what is leased, fetch the next data meanwhile. The pure core of
/// the agent (R1): events in, actions out; the shell owns the stream and the numbers. How far it runs ahead of the
/// parameters is the pace's.
class agent_core {
public:
  /// `peer_kind`: of the role at its side that takes the place of the shard holders, if there is one. `aggregator`: to
  /// whom it pushes, if not to them. `helps`: it takes over what slower agents have not begun.
  agent_core(member self, uint32_t shards, pace how = {}, std::string peer_kind = {}, role_id aggregator = {},
             bool helps = false)
    : self_(std::move(self)), shards_(shards), pace_(how), peer_kind_(std::move(peer_kind)),
      aggregator_(std::move(aggregator)), helps_(helps) {}

  /// Versions kept of a shard that is ahead of others (R13).
  static constexpr size_t max_versions = 4;

  struct announce {}; ///< send `join` to the coordinator
  struct use_parameters {
    std::vector<step> versions;
  }; ///< bind what the shards have sent: by shard, which version
  struct ask {
    step at;
  }; ///< send `request_lease`
  struct offer {
    step at;
  }; ///< send `offer_help`
  struct fetch {
    lease what;
  }; ///< read and augment the samples
  struct compute {
    lease what;
    step base;
  }; ///< train and push, with the parameters that are bound: those of version `base`
  struct measure {
    evaluate what;
  }; ///< evaluate with the bound parameters
  struct prove {
    step at;
    block_id block;
  };                    ///< what was pushed for the block of that step is in doubt
  struct push_again {}; ///< what was pushed for steps that have not taken effect may be lost: send it once more
  struct pull {
    uint32_t shard;
  };                ///< ask a shard holder for newer parameters
  struct forget {}; ///< the run went back: nothing that was received or computed counts any more
  struct go {};     ///< everything that was begun has taken effect: end normally
  using action =
    std::variant<announce, use_parameters, ask, offer, fetch, compute, measure, push_again, prove, pull, forget, go>;
  using actions = std::vector<action>;

  /// A coordinator appeared: the one before may have taken what it was told with it.
  actions on_coordinator();
  /// Repairs at once what a broker, an aggregator or a shard holder that was started again cannot know.
  actions on_view(const view_changed& v);
  /// Where a role is has become known, perhaps after the view that told of it: what was sent to it before that is lost.
  actions on_bound(const member& who) const;
  /// Of the shard holder `from`, for its shard.
  actions on_parameters(const origin& from, const step_set& applied);
  actions on_lease(const lease& l);
  actions on_rejected(const reject_gradients& r);
  /// What was started with `compute` is done.
  actions on_computed();
  /// Of what was started, [first, last) of `at`, micro-batches from `kept` on were given up.
  void on_split(step at, uint64_t first, uint64_t kept, uint64_t last);
  actions on_evaluate(const evaluate& e);
  /// The evaluation of test samples from `first` on was answered.
  void on_measured(step version, uint64_t first);
  /// The host goes away: what is begun is finished, nothing else is.
  actions on_leave();
  /// Called at a steady pace by the shell; when nothing came since the last call the step is repaired: what may be lost
  /// is sent again (everything is keyed, so nothing counts twice).
  actions on_tick();

  /// Whether parameters that arrive would be used: older ones are dropped before their values are looked at.
  [[nodiscard]] bool wants(const origin& from, step version) const;
  /// Of the parameters in use; where shards are at different ones, the lowest.
  [[nodiscard]] std::optional<step> version() const { return version_; }
  /// The steps that made the parameters in use.
  [[nodiscard]] const step_set& applied() const { return applied_; }
  /// Whether what was said in that view was taken back since.
  [[nodiscard]] bool is_void(const origin& from) const { return from.is_void(rewound_); }
  [[nodiscard]] origin from() const { return {self_.role, self_.incarnation, view_}; }
  [[nodiscard]] const member& self() const { return self_; }
  /// Messages that changed nothing because they were old or doubled (I13).
  [[nodiscard]] uint64_t dropped() const { return dropped_; }

private:
  void start(const lease& l, actions& out);
  void start_what_may(actions& out);
  void ask_for(step at, actions& out);
  void ask_for_more(actions& out);
  void ask_again(actions& out) const;
  [[nodiscard]] bool may_start(step at) const;
  [[nodiscard]] bool has_started(const lease& l) const;
  [[nodiscard]] std::optional<uint32_t> shard_of(const role_id& holder) const;
  [[nodiscard]] bool takes_pushes(const role_id& role) const;
  void go_if_done(actions& out);
  void bind(std::vector<step> versions, const step_set& applied, actions& out);

  struct range {
    step at;
    uint64_t first;
    uint64_t last;
    auto operator<=>(const range&) const = default;
  };

  member self_;
  uint32_t shards_;
  pace pace_;
  std::string peer_kind_; // empty: there are shard holders
  role_id aggregator_;    // no kind: there is none
  bool helps_;
  view view_;
  view rewound_;
  std::map<role_id, incarnation> peers_; // brokers, shard holders and its aggregator, of the last view
  // Versions that came from each shard, newer than the one in use; asynchronous: the newest, in use or not.
  std::vector<std::map<step, step_set>> have_ = std::vector<std::map<step, step_set>>(shards_);
  std::optional<step> version_;
  step_set applied_;
  std::optional<step> asked_;  // the highest step asked for; asynchronous: from which one on
  bool answered_ = true;       // asynchronous: whether that was
  size_t busy_ = 0;            // started and not computed
  std::vector<lease> waiting_; // for parameters
  std::set<range> started_;
  std::vector<evaluate> evaluations_; // waiting for their version
  std::set<std::pair<step, uint64_t>> measuring_;
  bool progress_ = false;
  bool leaving_ = false;
  uint64_t dropped_ = 0;
};

} // namespace troupe
