#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "actors/hosted_job.hpp"
#include "actors/ring_core.hpp"
#include "actors/ring_sums.hpp"
#include "actors/shard_vault.hpp"
#include "actors/snapshot_queue.hpp"
#include "gpu/stream.hpp"
#include "learn/optimizer.hpp"
#include "messages/interfaces.hpp"
#include "supervision/in_place.hpp"

namespace troupe {

/// Holds all parameters and the optimiser's state for one agent, and all-reduces its gradients with the other agents'
/// peers: there is no server. To its agent it is what a shard holder is: it takes `push_gradients`, publishes
/// `parameters`. See `ring_core` for the rest.
/// Receives `load_shard`, `commit_step`, `take_snapshot`, `view_changed` (coordinator), `push_gradients`,
/// `pull_parameters` (its agent), `step_plan` (data broker), `ring_chunk`, `take_snapshot` (other peers), `role_bound`
/// (directory), `leave_run` (its process), upon which it goes after its agent; sends `shard_summed` to the coordinator,
/// `parameters` to its agent, `request_plan` to the data broker, `ring_chunk` to the next peer. Fails with a reason
/// when its stream does. Owns one stream. Every peer applies the same update to the same bits. A new life comes back
/// with its last commit, or asks another peer for the model.
class ring_peer {
public:
  using interface = ring_peer_actor;
  static constexpr const char* actor_name = "troupe.ring_peer";

  struct config {
    role_id role;
    std::shared_ptr<hosted_job> job;
    std::shared_ptr<shard_vault> vault;
    learn::optimizer_options optimizer;
    gpu::device where;
  };

  ring_peer(interface::pointer self, life now, const config& c);
  interface::behavior_type make_behavior();

private:
  void perform(const ring_core::actions& actions);
  void perform(const ring_core::ask_plan& a);
  void perform(const ring_core::assemble& a);
  void perform(const ring_core::send& a);
  void perform(const ring_core::reduce& a);
  void perform(const ring_core::complete& a);
  void perform(const ring_core::measure& a);
  void perform(const ring_core::fetch_model& a);
  void perform(const ring_core::start_over&);

  void counted(uint64_t dropped_before);
  void restore();
  void announce();
  void load(step version, const payload& values, const std::vector<payload>& state, view since);
  void report();
  void apply(const commit_step& c);
  void publish();
  void answer_snapshots();
  void schedule_tick();

  interface::pointer self_;
  life now_;
  config config_;
  uint64_t claim_ = 0;    // of the vault's entry
  bool restored_ = false; // or known to have nothing to come back with
  ring_core core_;
  gpu::stream stream_;
  payload values_;
  std::vector<payload> state_;
  std::map<std::pair<block_id, tree_node>, payload> pushed_; // by the agent, for the step in progress
  ring_sums sums_;
  std::deque<ring_core::action> to_do_;
  bool busy_ = false; // with the first of them
  snapshot_queue snapshots_;
  std::vector<std::pair<take_snapshot, snapshot_queue::promise>> asked_; // by those who know of a later view
  bool fetching_ = false;
  bool leaving_ = false;
  std::chrono::milliseconds patience_;
};

} // namespace troupe
