#pragma once

#include <caf/actor_clock.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <functional>
#include <map>
#include <optional>

#include "actors/coordinator_core.hpp"
#include "actors/hosted_job.hpp"
#include "actors/job.hpp"
#include "gpu/stream.hpp"
#include "learn/flat.hpp"
#include "messages/interfaces.hpp"

namespace troupe {

/// All parameters and optimiser state of a model at one version, flat, in the layout's order.
struct model_state {
  step version;
  learn::flat parameters;
  std::vector<learn::flat> state; ///< per optimiser buffer; empty: all zero
};

/// How a run ended.
struct run_outcome {
  coordinator_core::stop_cause cause = coordinator_core::stop_cause::epochs_done;
  model_state final;
  uint64_t samples = 0;          ///< committed by this process's run
  double seconds = 0;            ///< from the first view to the end, evaluation included
  double training_seconds = 0;   ///< from the first commit on, without evaluation
  uint64_t steady_samples = 0;   ///< committed in `training_seconds`
  double seconds_to_first_step = 0; ///< from the start of the coordinator to the first commit
  std::vector<std::pair<uint64_t, double>> train_loss;
  std::vector<double> test_accuracy;
  uint64_t agent_drops = 0;      ///< messages dropped by agents
};

/// Leads a run (see `coordinator_core`): publishes views, commits steps, has the model evaluated and saved.
/// Receives `join` (everyone), `micro_batches_done`, `evaluation` (agents), `shard_summed` (shard holders), `role_bound`;
/// sends `view_changed`, `load_shard`, `commit_step`, `step_committed`, `take_snapshot`, `evaluate`. Ends normally when the run is
/// done, with a reason when it cannot go on. Owns a stream for files.
class coordinator final : public coordinator_actor::base {
public:
  struct config {
    member self;
    std::shared_ptr<hosted_job> job;
    coordinator_core::config core;
    std::shared_ptr<const model_state> initial; ///< where the run begins
    gpu::device files;                          ///< whose lane reads and writes files
    uint64_t log_every = 10;
    job_observer observer;
    /// Writes a checkpoint, on the stream for files. Empty: there is no folder for them.
    std::function<expected<void>(const model_state&)> save;
    /// Told once, before the coordinator ends.
    std::function<void(expected<run_outcome>)> on_done;
  };

  coordinator(caf::actor_config& cfg, config c);
  const char* name() const override { return "troupe.coordinator"; }
  behavior_type make_behavior() override;

private:
  using time_point = caf::actor_clock::time_point;

  void perform(const coordinator_core::actions& actions);
  void perform(const coordinator_core::publish& a);
  void perform(const coordinator_core::load& a);
  void perform(const coordinator_core::commit& a);
  void perform(const coordinator_core::committed& a);
  void perform(const coordinator_core::test& a);
  void perform(const coordinator_core::checkpoint& a);
  void perform(const coordinator_core::step_done& a);
  void perform(const coordinator_core::epoch_done& a);
  void perform(const coordinator_core::finish& a);
  void perform(const coordinator_core::give_up& a);

  void collect(step version, bool with_state, std::function<void(model_state)> use);
  void save(model_state state, std::function<void()> then);
  void watch(const member& who);
  void lost(const member& who);
  void end(coordinator_core::stop_cause cause, model_state final);
  void schedule_tick();
  void ask_the_missing();
  void note(const std::string& sentence);
  time_point now();
  double seconds_since(time_point start);

  config config_;
  coordinator_core core_;
  gpu::stream files_;
  run_outcome outcome_;
  std::map<role_id, incarnation> watched_;
  time_point born_;
  std::optional<time_point> began_;
  std::optional<time_point> first_commit_;
  std::optional<time_point> test_began_;
  double test_seconds_ = 0; // since the first commit
  std::map<role_id, uint64_t> drops_;
  bool saving_ = false;
  bool ended_ = false;
};

} // namespace troupe
