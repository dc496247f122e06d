#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "actors/hosted_job.hpp"
#include "actors/replica_feed.hpp"
#include "actors/shard_core.hpp"
#include "actors/shard_memory.hpp"
#include "actors/snapshot_queue.hpp"
#include "gpu/stream.hpp"
#include "learn/optimizer.hpp"
#include "messages/interfaces.hpp"
#include "supervision/in_place.hpp"

namespace troupe {

/// Owns the blocks of one shard: parameters, optimiser state and the sums of the steps in progress (see `shard_core`).
/// Receives `load_shard`, `commit_step`, `take_snapshot`, `view_changed`, `hand_over_shard` (coordinator),
/// `push_gradients` (agents or aggregators), `pull_parameters` (agents), `follow_shard`, `sums_replicated`,
/// `update_replicated` (the shard's replica), `role_bound` (directory); sends `shard_summed`, `shard_replicated` to the
/// coordinator, `parameters` to the agents, `shard_state`, `replicate_sums` and `replicate_update` to the replica.
/// Fails with a reason when its stream does. Owns one stream. Parameters are never written after they were published:
/// an update reads one buffer and writes another, so agents of the same process use the holder's memory as it is. A new
/// life comes back with the shard's last commit (`shard_vault`), also where that is the replica's, and with the sums
/// that were replicated; contributions to the step in progress are pushed to it again.
class shard_holder {
public:
  using interface = shard_holder_actor;
  static constexpr const char* actor_name = "troupe.shard_holder";

  struct config {
    role_id role;
    std::shared_ptr<hosted_job> job;
    std::shared_ptr<shard_vault> vault;
    learn::optimizer_options optimizer;
    gpu::device where;
  };

  shard_holder(interface::pointer self, life now, const config& c);
  interface::behavior_type make_behavior();

private:
  using key = std::tuple<step, block_id, tree_node>;
  // All micro-batches' to a block, and what makes each as large as if all were like it.
  struct contributions {
    std::vector<payload> values;
    std::vector<float> factors;
    tree_node root;
    [[nodiscard]] std::vector<const float*> pointers() const {
      auto result = std::vector<const float*>{};
      for (auto& v : values)
        result.push_back(v.as_floats().data());
      return result;
    }
  };

  void restore();
  void announce();
  void take(const push_gradients& p);
  bool fits_block(const push_gradients& p) const;
  payload as_floats(const push_gradients& p);
  void combine(step at, block_id block);
  contributions contributions_to(step at, block_id block) const;
  void measure(step at, block_id block);
  void measured(step at, view begun, const block_norm& norm);
  void choose(step at, uint64_t chosen);
  void forget_sums_of(step at, block_id block);
  void ask_again(step at, block_id block, const role_id& who);
  void restore_sums(step at, const shard_vault::sums& kept);
  void summed(step at);
  void forget_all_sums();
  void report_sums(step at);
  void report_sums();
  void report_withheld();
  void apply(const commit_step& c);
  void applied(view begun, const payload& next);
  [[nodiscard]] std::optional<step> shown_version() const;
  void publish(const member& to);
  void deliver_snapshots();
  void load(const load_shard& l);
  void follow(const follow_shard& f);
  void send_state();
  void send_state_soon();
  void bound(const member& who);
  void feed_again();
  void replicate_sums_of(step at);
  void to_replica(const shard_state& what);
  void to_replica(replicate_sums what);
  void to_replica(replicate_update what);
  template <class Message>
  void lend_to_replica(Message what);
  void publish_news(const std::optional<step>& before);
  void hand_over();
  void report_replica(bool before);
  const learn::block& block(block_id id) const;

  interface::pointer self_;
  life now_;
  config config_;
  uint32_t shard_;
  bool restored_ = false; // or known to have nothing to come back with
  shard_core core_;
  gpu::stream stream_;
  shard_memory memory_;
  replica_feed feed_;
  std::set<step> withheld_;      // steps whose sums the replica has not acknowledged
  std::set<step> restored_sums_; // that a holder before had replicated, until they are applied
  bool replica_waits_ = false;   // for the whole state
  bool leaving_ = false;         // as soon as the replica has everything
  std::map<key, payload> sums_;  // parts of the steps in progress
  snapshot_queue snapshots_;
};

} // namespace troupe
