#pragma once

#include <atomic>
#include <caf/actor_clock.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <deque>
#include <functional>
#include <map>
#include <optional>

#include "actors/coordinator_core.hpp"
#include "actors/hosted_job.hpp"
#include "actors/job.hpp"
#include "actors/ledger.hpp"
#include "actors/lock_client.hpp"
#include "actors/shard_mover.hpp"
#include "actors/shard_placer.hpp"
#include "actors/shard_vault.hpp"
#include "actors/voter_link.hpp"
#include "gpu/stream.hpp"
#include "learn/flat.hpp"
#include "messages/interfaces.hpp"
#include "supervision/in_place.hpp"

namespace troupe {

class standby_feed;

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
  uint64_t samples = 0;             ///< committed by this process's run
  double seconds = 0;               ///< from the first view to the end, evaluation included
  double training_seconds = 0;      ///< from the first commit on, without evaluation
  uint64_t steady_samples = 0;      ///< committed in `training_seconds`
  double seconds_to_first_step = 0; ///< from the start of the coordinator to the first commit
  std::vector<std::pair<uint64_t, double>> train_loss;
  std::vector<double> test_accuracy;
  uint64_t agent_drops = 0;               ///< messages dropped by agents
  uint64_t skipped_steps = 0;             ///< whose gradient was not finite
  std::map<uint64_t, uint64_t> staleness; ///< micro-batches by how many updates old their parameters were
};

/// What of a run outlives its coordinator: where it stands, and what is to be reported at the end. One life writes it
/// at a time.
struct run_record {
  using time_point = caf::actor_clock::time_point;

  std::shared_ptr<run_log> log = std::make_shared<run_log>();
  run_outcome outcome;
  std::optional<time_point> born;
  std::optional<time_point> began;
  std::optional<time_point> first_commit;
  double test_seconds = 0; ///< since the first commit
  step_set counted;        ///< steps that `outcome` counts
  std::map<role_id, uint64_t> drops;
  std::shared_ptr<const model_state> start;                 ///< what shards are loaded with
  std::atomic<bool> stop_asked = false;                     ///< perhaps before there was a coordinator; any thread
  std::atomic<std::shared_ptr<const std::string>> hopeless; ///< why the run cannot go on; any thread
  bool done = false;                                        ///< `on_done` was called
};

/// Has the run finish the step in progress and end, or, `why` being given, fail with it at once. Any thread; whichever
/// coordinator there is, or comes to be.
void ask_to_stop(run_record& record, const hosted_job& job, const std::string& why = {});

/// Leads a run (see `coordinator_core`): publishes views, commits steps, has the model evaluated and saved.
/// Receives `join` (everyone), `peer_unreachable` (remote agents), `micro_batches_done`, `evaluation` (agents),
/// `shard_summed`, `shard_replicated` (shard holders), `lock_granted`, `lock_refused`, `lock_released` (lock service),
/// `role_bound`; sends `view_changed`, `load_shard`, `commit_step`, `step_committed`, `take_snapshot`, `evaluate`. Ends
/// normally when the run is over. Owns a stream for files. A new life, or a new coordinator with the same record, asks
/// everybody to join again and goes on behind the last commit. Where there is a standby it commits only while it holds
/// the lead of the job, and hands over where the run stands.
class coordinator {
public:
  using interface = coordinator_actor;
  static constexpr const char* actor_name = "troupe.coordinator";

  struct config {
    std::shared_ptr<hosted_job> job;
    std::shared_ptr<run_record> record; ///< its `start` says where the run begins
    std::shared_ptr<shard_vault> vault;
    coordinator_core::config core;
    gpu::device files; ///< whose lane reads and writes files
    uint64_t log_every = 10;
    job_observer observer;
    /// Writes a checkpoint, on the stream for files, under the lock of that name. Empty: there is no folder for them.
    std::function<expected<void>(const model_state&, fencing_token)> save;
    std::string save_lock = "checkpoint";
    std::shared_ptr<troupe::ledger> ledger; ///< outlives the coordinator; null: none is kept
    /// Finds the state to go back to, on the stream for files.
    std::function<expected<std::shared_ptr<const model_state>>()> restore;
    /// Told once, before the coordinator ends.
    std::function<void(expected<run_outcome>)> on_done;
    /// Where shards and their replicas live; null: shards stay where they are, and have no replicas.
    std::shared_ptr<shard_placer> placer;
    /// What this process claims at the nodes; without it nothing commits. Null: nobody else could lead.
    std::shared_ptr<troupe::lead> claim;
    standby_feed* feed = nullptr; ///< outlives the coordinator; null: there is no standby
  };

  coordinator(interface::pointer self, life now, const config& c);
  interface::behavior_type make_behavior();

private:
  static constexpr auto tick = std::chrono::seconds{2};

  using time_point = run_record::time_point;

  void perform(const coordinator_core::actions& actions);
  void perform(const coordinator_core::publish& a);
  void perform(const coordinator_core::load& a);
  void perform(const coordinator_core::commit& a);
  void perform(const coordinator_core::committed& a);
  void perform(const coordinator_core::test& a);
  void perform(const coordinator_core::checkpoint& a);
  void perform(const coordinator_core::account& a);
  void perform(const coordinator_core::step_done& a);
  void perform(const coordinator_core::epoch_done& a);
  void perform(const coordinator_core::finish& a);
  void perform(const coordinator_core::restore&);
  void perform(const coordinator_core::note& a);
  void perform(const coordinator_core::give_up& a);

  using snapshots = std::vector<std::vector<shard_snapshot>>; ///< by shard; of several peers where each has all
  struct collection {
    step version;
    bool with_state = false;
    std::function<void(snapshots)> use;
    std::function<void(const std::string& why)> failed;
  };
  void collect(const collection& what);
  /// On the stream for files.
  void put_together(step version, snapshots shards, std::function<void(model_state)> then);
  /// One after the other, each under the lock on the folder.
  void save(model_state state, std::function<void()> then);
  void save_next();
  void write_ledger();
  void finish(coordinator_core::stop_cause cause, step version, int attempts);
  [[nodiscard]] bool misses_a_holder() const;
  void watch(const role_id& role);
  void lost(const role_id& role, const caf::actor_addr& who, bool in_order);
  bool has_departed(const role_id& role) const;
  void end(coordinator_core::stop_cause cause, model_state final);
  lock_client::ports ports_to_locks();
  shard_mover::ports ports_to_shards();
  void schedule_tick();
  bool may_commit();
  void stop_if_over();
  void feed_standby();
  void ask_the_missing();
  void ask_to_join(const role_id& role);
  void note(const std::string& sentence);
  void tell_event(const view_changed& v);
  time_point now();
  double seconds_since(time_point start);

  interface::pointer self_;
  life life_;
  config config_;
  run_record& record_;
  coordinator_core core_;
  gpu::stream files_;
  std::map<role_id, caf::actor_addr> watched_;
  std::map<role_id, caf::actor_addr> departed_; // ended normally
  std::optional<time_point> test_began_;
  view told_; ///< newest view that was told as an event
  bool saving_ = false;
  bool waits_for_lead_ = false;
  step fed_;               ///< newest version that was collected for the standby
  bool collected_ = false; ///< the final parameters: who comes back now makes no difference
  lock_client locks_;
  std::optional<shard_mover> mover_;                                                       ///< where shards can move
  std::deque<std::pair<std::shared_ptr<const model_state>, std::function<void()>>> saves_; ///< the first is under way
};

} // namespace troupe
