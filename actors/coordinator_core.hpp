#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "actors/gossip_rounds.hpp"
#include "actors/job.hpp"
#include "actors/ledger_record.hpp"
#include "actors/pace.hpp"
#include "learn/combine.hpp"
#include "learn/optimizer.hpp"
#include "learn/order.hpp"
#include "learn/schedule.hpp"
#include "messages/evaluation.hpp"
#include "messages/leases.hpp"
#include "messages/membership.hpp"
#include "messages/step_set.hpp"
#include "messages/training.hpp"

namespace troupe {

/// What of a run outlives its coordinator: the last commit and where the run stood (R4). A coordinator that takes over
/// goes on from here; one life writes it at a time.
struct run_log {
  bool begun = false;                      ///< the shards have been loaded once
  troupe::view view;                       ///< last one published
  troupe::view rewound;                    ///< in which the run last went back
  std::vector<member> crew;                ///< agents, their peers, broker of the last view
  troupe::view crew_since;                 ///< in which they last changed
  step_set applied;                        ///< steps that have committed
  std::vector<commit_step> recent;         ///< the latest of their commits, ascending; written before they are sent
  std::map<step, std::set<member>> givers; ///< of those steps: who has contributed
  step tested;                             ///< version that was evaluated last
  step furthest;                           ///< highest version there ever was
  uint32_t rewinds = 0;                    ///< since the run last got further than ever
  uint64_t skipped = 0;                    ///< steps whose gradient was not finite
  bool stop_asked = false;
  std::map<role_id, incarnation> left;    ///< agents that have left in order: what they said before may come later
  std::map<role_id, incarnation> highest; ///< of each role that has joined: lower ones are fenced (I15)
};

/// The run as a state machine: who takes part, which step commits when, when to evaluate, to write a checkpoint, to
/// stop. The pure core of the coordinator (R1).
class coordinator_core {
public:
  struct config {
    uint32_t agents = 1;      ///< the run begins when so many have joined
    uint32_t most_agents = 0; ///< so many may join; fewer than `agents`: no more than those
    uint32_t shards = 1;
    uint32_t aggregators = 0; ///< the run begins when so many have joined
    std::string peer_kind;    ///< every agent has such a peer with all parameters; empty: there are shard holders
    std::optional<gossip_rounds> gossip; ///< what each peer has is its own
    size_t blocks = 1;                   ///< of the layout, over all shards
    learn::batch_sizes sizes;
    troupe::pace pace;
    step first; ///< where the run begins: 0, or where a checkpoint left off
    uint64_t epochs = 1;
    uint64_t steps = 0; ///< 0: no limit
    uint64_t until = 0; ///< this part of the run ends there; 0: it goes to the end
    learn::optimizer_options optimizer;
    learn::combine_options combine;
    learn::schedule_options schedule;
    uint64_t test_samples = 0;     ///< 0: no evaluation
    uint64_t evaluation_grain = 1; ///< test samples per unit of work
    double target_accuracy = 0;    ///< 0: none
    bool checkpoints = false;
    uint64_t checkpoint_every = 0; ///< steps; 0: each epoch
    nonfinite on_nonfinite = nonfinite::stop;
    std::function<bool()> may_commit = {}; ///< whether this process leads right now; empty: nobody else could
    std::shared_ptr<run_log> log = std::make_shared<run_log>(); ///< of the coordinators before, if there were any
  };

  /// How often a run goes back without getting further than before, until it gives up (R13).
  static constexpr uint32_t max_rewinds = 3;

  enum class stop_cause : uint8_t { epochs_done, steps_done, target_reached, interrupted, part_done };

  struct publish {
    view_changed what;
    std::vector<member> to;
  };
  struct load {
    uint32_t shard;
    step version;
  }; ///< give the shard its first parameters
  struct commit {
    commit_step what;
  }; ///< to every shard holder
  struct committed {
    step_committed what;
  }; ///< to the data broker
  struct test {
    evaluate what;
    member to;
  };
  struct checkpoint {
    step version;
  }; ///< snapshot all shards as of this version and write it
  struct account {
    std::variant<ledger_step, ledger_rewind> what;
  }; ///< into the ledger, before anybody hears of it
  struct step_done {
    step at;
    step version; ///< of the parameters that it was applied to: how many were before it
    uint64_t epoch = 0;
    double loss = 0;
    double accuracy = 0;
    uint64_t samples = 0;
    std::map<uint64_t, uint64_t> staleness = {}; ///< micro-batches by how many updates old their parameters were
  };
  struct epoch_done {
    uint64_t epoch;
    double loss;
    double accuracy;
  };
  struct finish {
    step version;
    stop_cause cause;
  };                 ///< collect the final parameters, then end
  struct restore {}; ///< find the state to go back to, then tell `on_restored`
  struct note {
    std::string sentence;
  }; ///< tell the user
  struct give_up {
    std::string sentence;
  };
  using action = std::variant<publish, load, commit, committed, test, checkpoint, account, step_done, epoch_done,
                              finish, restore, note, give_up>;
  using actions = std::vector<action>;

  explicit coordinator_core(config c);

  actions on_join(const join& said);
  /// Where a role is has become known, perhaps after it joined: it is told the view, or loaded.
  actions on_bound(const member& who) const;
  /// A participant ended or cannot be reached any more.
  actions on_lost(const member& who);
  /// A participant has left in order, and does not come back. Without agents the run stops.
  actions on_left(const member& who);
  /// The state to go back to was found; it is of this version.
  actions on_restored(step version);
  /// A shard has the parameters it was given.
  actions on_loaded(uint32_t shard);
  /// The shard was not reached. One that has ended joins again; one that is still there is loaded again.
  actions on_load_lost(uint32_t shard);
  actions on_results(const micro_batches_done& d);
  actions on_summed(const shard_summed& s);
  actions on_evaluation(const evaluation& e);
  /// The user wants to stop: after the step in progress.
  actions on_stop();
  /// This process may lead again: what could not commit meanwhile does.
  actions on_lead();
  /// Called at a steady pace; asks again for evaluations that nobody is computing.
  actions on_tick();

  /// Whether this incarnation takes part.
  [[nodiscard]] bool has(const member& who) const {
    auto i = members_.find(who.role);
    return i != members_.end() && i->second == who;
  }
  /// Version of the parameters: steps that have committed.
  [[nodiscard]] step current() const { return log().applied.version(); }
  [[nodiscard]] uint64_t last_step() const { return last_step_; } ///< where the whole run stops at the latest
  [[nodiscard]] bool running() const { return phase_ == phase::running; }
  [[nodiscard]] bool finished() const { return phase_ == phase::finished; }
  [[nodiscard]] bool awaits_load_of(uint32_t shard) const {
    return phase_ == phase::loading && !loaded_.contains(shard);
  }
  [[nodiscard]] bool testing() const { return round_.has_value(); }
  [[nodiscard]] view number() const { return log().view; }
  [[nodiscard]] view rewound() const { return log().rewound; }
  [[nodiscard]] std::optional<member> member_of(const role_id& role) const;
  /// Who holds parameters: all shard holders there have to be, or the peers there are.
  [[nodiscard]] std::vector<role_id> holders() const;
  [[nodiscard]] const char* holder_kind() const { return has_peers() ? config_.peer_kind.c_str() : "shard_holder"; }
  /// Whose parameters together are those of the current version, a list for each shard: its holder. Where there are
  /// peers, one with the newest; or, if each has its own, those of which the mean is to be taken.
  [[nodiscard]] std::vector<std::vector<role_id>> sources(bool with_state) const;
  [[nodiscard]] uint64_t dropped() const { return dropped_; }

private:
  enum class phase : uint8_t { gathering, restoring, loading, running, finished };

  struct round { // an evaluation under way
    step version;
    uint64_t epoch = 0;
    std::map<uint64_t, std::pair<uint64_t, std::optional<member>>> open; // first → (last, who)
    double loss_sum = 0;
    int64_t correct = 0;
  };
  struct outcome { // of a micro-batch
    micro_batch_result result;
    step base;
    member from;
    attempt number;
  };
  struct reported {
    block_norm norm;
    uint32_t shard;
  };
  struct lateness {
    step version; // of the shard
    int ticks = 0;
  };

  [[nodiscard]] bool has_peers() const { return !config_.peer_kind.empty(); }
  /// Shards that are lost while the final parameters are collected come back, or the run goes back, as before.
  [[nodiscard]] bool has_begun() const {
    return phase_ == phase::running || (phase_ == phase::finished && !has_peers());
  }
  void publish_view(actions& out);
  void tell_view(actions& out) const;
  [[nodiscard]] view_changed last_view() const;
  void begin_if_gathered(actions& out);
  void take_over(actions& out);
  void rewind(const std::string& why, actions& out);
  void lost_parameters(const join& j, actions& out);
  [[nodiscard]] bool sums_are_lost(uint32_t shard, step version) const;
  void rewind_if_hopeless(actions& out);
  void end_if_done(actions& out);
  void end_if_deserted(actions& out);
  void stop_if_nobody_works(actions& out);
  void try_commit(actions& out);
  bool commit_one(step at, actions& out);
  void after_commit(actions& out);
  std::optional<step> complete() const;
  step barrier() const;
  bool open(step at) const;
  void commit_again(step from, actions& out) const;
  void caught_up(const shard_summed& s);
  [[nodiscard]] bool crew_is_back() const;
  [[nodiscard]] bool everyone_summed(step at) const;
  [[nodiscard]] bool somebody_holds_current() const;
  void run_if_loaded(actions& out);
  void finished_without(const join& j, actions& out);
  void forget_sums(uint32_t shard);
  void begin_test(step version, uint64_t epoch, actions& out);
  void hand_out_tests(actions& out);
  void end(stop_cause cause, actions& out);
  uint64_t epoch_of(step at) const;
  std::vector<member> agents() const;
  bool member_now(const origin& from) const;
  double gradient_norm(step at) const;
  uint64_t choice(step at) const;
  run_log& log() const { return *config_.log; }

  config config_;
  uint64_t last_step_ = 0;
  uint64_t end_ = 0; ///< of this part of the run
  phase phase_ = phase::gathering;
  int lonely_ticks_ = 0; ///< without any agent
  bool patient_ = true;  ///< until the first tick: those of the run before may all come back
  std::map<role_id, member> members_;
  std::map<uint32_t, step> holds_;      ///< version of each shard, as it last said; none: it has no parameters
  std::map<uint32_t, lateness> behind_; ///< shards that came back without the sums of updates that have committed
  std::map<uint32_t, std::vector<step>> kept_sums_; ///< that holders came back with
  std::set<uint32_t> loaded_;
  std::map<step, std::map<uint64_t, outcome>> results_; ///< by step and micro-batch
  std::map<step, std::map<block_id, reported>> norms_;
  std::set<uint32_t> summed_; ///< peers that have the result of the current step, with the present crew
  std::optional<round> round_;
  uint64_t dropped_ = 0;
};

} // namespace troupe
