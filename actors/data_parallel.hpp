#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "actors/coordinator.hpp"
#include "actors/job.hpp"
#include "actors/lock_journal.hpp"
#include "actors/runtime.hpp"
#include "actors/worker_process.hpp"
#include "gpu/device.hpp"
#include "messages/shared_memory.hpp"
#include "supervision/supervise.hpp"

namespace troupe {

class remote_agents;

/// Where a part of a run leaves off: what the next part, which synchronises otherwise, begins with.
struct handover {
  std::shared_ptr<const model_state> state;
  std::shared_ptr<const learn::model> model;
  learn::data_source data;
  std::string job_id = {};   ///< of the run that a standby takes over; empty: a part of this process's run goes on
  fencing_token tokens = {}; ///< locks are granted with higher ones
};

/// The parts of synchronous data-parallel training with parameter shards, ready to be put into a supervision tree:
///
///     auto parts = data_parallel::prepare(rt, options);
///     auto& p = **parts;
///     auto report = p.run(supervise("training")
///                           .child(p.locks)
///                           .child(p.broker)
///                           .child(supervise("shards", one_for_all).child(p.shards))
///                           .child(supervise_agents("agents").child(p.agents, transient))
///                           .child(p.leader, transient, significant));
///
/// A run ends when its leader does. One object serves one run.
class data_parallel {
public:
  /// Opens the data, builds the model, loads or draws the first parameters, connects to nodes and starts worker
  /// processes. One sentence where something is not as the options say; nothing is left behind then.
  /// `from`: what a part of the run before has left off with, instead of the first parameters. `until`: where this part
  /// leaves off; 0: it goes to the end.
  static expected<std::unique_ptr<data_parallel>> prepare(runtime& rt, const job_options& options,
                                                          job_observer observer = {}, uint64_t until = 0,
                                                          const std::optional<handover>& from = {});

  startable leader; ///< the coordinator; ends normally when the run is done
  startable locks;  ///< checkpoints are written under a lock
  startable broker;
  std::vector<startable> shards;      ///< shard holders; none where agents have peers
  std::vector<startable> replicas;    ///< of shards that live in worker processes; behind the holders
  std::vector<startable> aggregators; ///< behind the shard holders; none unless `sync` is "tree"
  std::vector<startable> peers;       ///< of agents in a ring, or with gossip; none where there are shard holders
  std::vector<startable> samples;     ///< their source and keepers, where agents have processes of their own and each
                                      ///< holds a shard of the data set; in front of the agents
  std::vector<startable> agents;      ///< those that the run waits for
  std::vector<startable> joiners;     ///< the others, each behind its sample keeper; they belong behind the leader

  /// The usual tree of these parts, as in the example above. `limit`: of each of its supervisors, instead of the usual.
  [[nodiscard]] supervision_tree tree(std::optional<restart_limit> limit = {}) const;

  /// Before it runs: it commits only while `claim` holds, and `feed` gets where it stands; null: there is no standby
  /// for it. Both outlive this.
  void lead_by(std::shared_ptr<lead> claim, standby_feed* feed);
  /// What the standby is told of it.
  [[nodiscard]] follow_job order() const;
  /// No lock of this process is ever granted with a higher token than this says. Any thread, also once this is gone.
  [[nodiscard]] std::function<fencing_token()> highest_token() const {
    return [journal = journal_] { return journal->highest_possible(); };
  }
  /// Where it begins.
  [[nodiscard]] const std::shared_ptr<const model_state>& first_state() const { return initial_; }

  /// Runs a tree that has these parts to its end and says what the run yielded. Blocks. `stop` finishes the step in
  /// progress. One sentence where the tree lacks a part without which the run would wait for ever.
  expected<job_report> run(const supervision_tree& tree, const std::stop_token& stop = {},
                           std::function<void(const supervision_report&)> on_report = {});

  /// Asks the leader to stop after the step in progress, also where it has not been started yet. Any thread.
  void request_stop() const;

  /// What the run yielded, for a tree that was run otherwise and has ended; writes `options.export_to` if it was the
  /// last part.
  expected<job_report> report(const tree_end& end);

  /// This part has nothing to do, or has done it, and another one follows.
  [[nodiscard]] bool leaves_off() const;
  /// What the next part begins with, where this one leaves off.
  [[nodiscard]] handover hand_over() const;

  [[nodiscard]] const hosted_job& job() const { return *job_; }
  /// For roles of one's own in the tree, which need it in their configuration.
  [[nodiscard]] const std::shared_ptr<hosted_job>& shared_job() const { return job_; }

  data_parallel(const data_parallel&) = delete;
  data_parallel& operator=(const data_parallel&) = delete;
  ~data_parallel();

private:
  [[nodiscard]] expected<void> check_parts_of(const supervision_tree& tree) const;
  data_parallel(runtime& rt, job_options options, job_observer observer, std::shared_ptr<hosted_job> job,
                std::shared_ptr<const model_state> initial, std::shared_ptr<remote_agents> remote, uint64_t until);

  coordinator::config leader_config();
  startable make_agent(uint32_t rank);
  startable make_peer(uint32_t rank);
  startable make_aggregator(uint32_t first);
  startable make_sample_source();
  startable make_sample_keeper(uint32_t rank);
  void make_placed_shards();
  void observe_places();

  runtime& runtime_;
  job_options options_;
  job_observer observer_;
  uint64_t until_;
  std::shared_ptr<hosted_job> job_;
  uint64_t lent_before_ = shared_memory::of_this_process().lent_bytes(); // by other jobs of this process
  uint64_t not_lent_before_ = shared_memory::of_this_process().not_lent();
  std::shared_ptr<const model_state> initial_;
  std::shared_ptr<shard_vault> vault_;    // what outlives the shard holders
  std::shared_ptr<run_record> record_;    // what outlives the coordinator
  std::shared_ptr<remote_agents> remote_; // null: agents are threads of this process
  std::shared_ptr<shard_placer> placer_;  // null: shards stay where they are
  std::vector<gpu::device> devices_;
  std::shared_ptr<lead> claim_; // null: nobody else could lead
  standby_feed* feed_ = nullptr;
  std::shared_ptr<ledger> ledger_;        // null: none is kept
  std::shared_ptr<lock_journal> journal_; // what outlives the lock service
  gpu::device files_;
  gpu::device journal_lane_;
  std::shared_ptr<std::optional<expected<run_outcome>>> outcome_;
};

/// Tells an observer what supervisors report.
std::function<void(const supervision_report&)> reports_to(const job_observer& observer);

/// Fills in what the options leave open: micro-batch, shards, threads. Refuses contradictions, with one sentence.
expected<job_options> resolve(job_options options);

/// How agents are supervised, and what lives beside them: one that fails again and again is tried for a quarter of a
/// minute, and what the others fail does not count, so that any number of them can lose their links now and then. An
/// agent whose host is lost waits for a place, which is no failure (`agent_places`). One that has left is not started
/// again: make it `transient`.
inline supervision_tree supervise_agents(std::string name,
                                         restart_limit limit = at_most_of_each(16, std::chrono::minutes{1})) {
  using namespace std::chrono_literals;
  return supervise(std::move(name), one_for_one, limit).backoff({.min = 1ms, .max = 3s, .quiet = 5s});
}

/// Whether the processes of agents do not open the data set, but hold shards of it.
inline bool holds_samples_apart(const job_options& o) {
  return o.exchange != learn::exchange_kind::global && (o.isolation == isolation::process || !o.nodes.empty());
}

/// The supervision tree of a job's shape, without starting anything.
supervision_tree shape_of(const job_options& resolved);

} // namespace troupe
