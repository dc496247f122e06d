#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "learn/optimizer.hpp"
#include "learn/order.hpp"
#include "learn/schedule.hpp"
#include "messages/training.hpp"

namespace troupe {

/// The run as a state machine: who takes part, which step commits when, when to evaluate, to write a checkpoint, to stop.
/// The pure core of the coordinator (R1).
class coordinator_core {
public:
  struct config {
    uint32_t agents = 1; ///< the run begins when so many have joined
    uint32_t shards = 1;
    size_t blocks = 1;   ///< of the layout, over all shards
    learn::batch_sizes sizes;
    step first;          ///< where the run begins: 0, or where a checkpoint left off
    uint64_t epochs = 1;
    uint64_t steps = 0;  ///< 0: no limit
    learn::optimizer_options optimizer;
    learn::schedule_options schedule;
    uint64_t test_samples = 0;    ///< 0: no evaluation
    uint64_t evaluation_grain = 1; ///< test samples per unit of work
    double target_accuracy = 0;   ///< 0: none
    bool checkpoints = false;
    uint64_t checkpoint_every = 0; ///< steps; 0: each epoch
  };

  enum class stop_cause : uint8_t { epochs_done, steps_done, target_reached, interrupted };

  struct publish { view_changed what; std::vector<member> to; };
  struct load { uint32_t shard; step version; };  ///< give the shard its first parameters
  struct commit { commit_step what; };            ///< to every shard holder
  struct committed { step_committed what; };      ///< to the data broker
  struct test { evaluate what; member to; };
  struct checkpoint { step version; };            ///< snapshot all shards as of this version and write it
  struct step_done { step at; uint64_t epoch; double loss; double accuracy; uint64_t samples; };
  struct epoch_done { uint64_t epoch; double loss; double accuracy; };
  struct finish { step version; stop_cause cause; }; ///< collect the final parameters, then end
  struct give_up { std::string sentence; };
  using action = std::variant<publish, load, commit, committed, test, checkpoint, step_done, epoch_done, finish, give_up>;
  using actions = std::vector<action>;

  explicit coordinator_core(config c);

  actions on_join(const join& j);
  /// A participant ended or cannot be reached any more.
  actions on_lost(const member& who);
  /// A shard has the parameters it was given.
  actions on_loaded(uint32_t shard);
  actions on_results(const micro_batches_done& d);
  actions on_summed(const shard_summed& s);
  actions on_evaluation(const evaluation& e);
  /// The user wants to stop: after the step in progress.
  actions on_stop();
  /// Called at a steady pace; asks again for evaluations that nobody is computing.
  actions on_tick();

  /// Whether this incarnation takes part.
  [[nodiscard]] bool has(const member& who) const {
    auto i = members_.find(who.role);
    return i != members_.end() && i->second == who;
  }
  [[nodiscard]] step current() const { return current_; }
  [[nodiscard]] uint64_t last_step() const { return last_step_; } ///< where the run stops at the latest
  [[nodiscard]] bool running() const { return phase_ == phase::running; }
  [[nodiscard]] bool testing() const { return round_.has_value(); }
  [[nodiscard]] view number() const { return view_; }
  [[nodiscard]] uint64_t dropped() const { return dropped_; }

private:
  enum class phase : uint8_t { gathering, loading, running, finished };

  struct round { // an evaluation under way
    step version;
    uint64_t epoch = 0;
    std::map<uint64_t, std::pair<uint64_t, std::optional<member>>> open; // first → (last, who)
    double loss_sum = 0;
    int64_t correct = 0;
  };

  void publish_view(actions& out);
  void tell_view(actions& out) const;
  void begin_if_gathered(actions& out);
  void try_commit(actions& out);
  void after_commit(step done, actions& out);
  void begin_test(step version, uint64_t epoch, actions& out);
  void hand_out_tests(actions& out);
  void end(stop_cause cause, actions& out);
  uint64_t epoch_of(step at) const;
  std::vector<member> agents() const;
  bool member_now(const origin& from) const;
  double gradient_norm() const;

  config config_;
  uint64_t last_step_ = 0;
  phase phase_ = phase::gathering;
  view view_;
  std::map<role_id, member> members_;
  std::set<uint32_t> loaded_;
  step current_;
  std::map<uint64_t, micro_batch_result> results_;
  std::map<block_id, block_norm> norms_;
  std::optional<commit_step> last_commit_;
  std::optional<round> round_;
  bool stop_asked_ = false;
  uint64_t dropped_ = 0;
};

} // namespace troupe
