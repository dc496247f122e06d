#pragma once

#include <map>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "messages/training.hpp"

namespace troupe {

/// An agent through a run: collect parameters, compute what is leased, fetch the next data meanwhile. The pure core of
/// the agent (R1): events in, actions out; the shell owns the stream and the numbers.
class agent_core {
public:
  agent_core(member self, uint32_t shards) : self_(std::move(self)), shards_(shards) {}

  struct announce {}; ///< send `join` to the coordinator
  struct use_parameters {
    step version;
  }; ///< bind what the shards sent for this version
  struct ask {
    step at;
  }; ///< send `request_lease`
  struct fetch {
    lease what;
  }; ///< read and augment the samples
  struct compute {
    lease what;
  }; ///< train and push; the parameters of that step are bound
  struct measure {
    evaluate what;
  }; ///< evaluate with the bound parameters
  struct push_again {
    step at;
  }; ///< what was pushed for the step may be lost: send it once more
  struct prove {
    block_id block;
  }; ///< what was pushed for the block of the current step is in doubt
  struct pull {
    uint32_t shard;
  };                ///< ask a shard holder for newer parameters
  struct forget {}; ///< the run went back: nothing that was received or computed counts any more
  using action = std::variant<announce, use_parameters, ask, fetch, compute, measure, push_again, prove, pull, forget>;
  using actions = std::vector<action>;

  /// A coordinator appeared: the one before may have taken what it was told with it.
  actions on_coordinator();
  /// Repairs at once what a broker or a shard holder that was started again cannot know.
  actions on_view(const view_changed& v);
  /// Of the shard holder `from`, for its shard.
  actions on_parameters(const origin& from, step version);
  actions on_lease(const lease& l);
  actions on_rejected(const reject_gradients& r);
  actions on_evaluate(const evaluate& e);
  /// The evaluation of test samples from `first` on was answered.
  void on_measured(step version, uint64_t first);
  /// Called at a steady pace by the shell; when nothing came since the last call the step is repaired: what may be lost
  /// is sent again (everything is keyed, so nothing counts twice).
  actions on_tick();

  /// Whether parameters that arrive would be used: older ones are dropped before their values are looked at.
  [[nodiscard]] bool wants(const origin& from, step version) const;
  [[nodiscard]] std::optional<step> version() const { return version_; }
  [[nodiscard]] origin from() const { return {self_.role, self_.incarnation, view_}; }
  [[nodiscard]] const member& self() const { return self_; }
  /// Messages that changed nothing because they were old or doubled (I13).
  [[nodiscard]] uint64_t dropped() const { return dropped_; }

private:
  void start(const lease& l, actions& out);
  void ask_for(step at, actions& out);

  struct range {
    step at;
    uint64_t first;
    uint64_t last;
    auto operator<=>(const range&) const = default;
  };

  member self_;
  uint32_t shards_;
  view view_;
  view rewound_;
  std::map<role_id, incarnation> peers_; // brokers and shard holders of the last view
  std::vector<std::optional<step>> have_ = std::vector<std::optional<step>>(shards_);
  std::optional<step> version_;
  std::optional<step> asked_;
  std::vector<lease> waiting_; // for parameters
  std::set<range> started_;
  std::vector<evaluate> evaluations_; // waiting for their version
  std::set<std::pair<step, uint64_t>> measuring_;
  bool progress_ = false;
  uint64_t dropped_ = 0;
};

} // namespace troupe
