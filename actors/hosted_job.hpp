#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "actors/directory.hpp"
#include "actors/gossip_rounds.hpp"
#include "actors/groups.hpp"
#include "actors/pace.hpp"
#include "actors/placement.hpp"
#include "actors/run_event.hpp"
#include "learn/combine.hpp"
#include "learn/compression.hpp"
#include "learn/data/held_samples.hpp"
#include "learn/dataset.hpp"
#include "learn/local_steps.hpp"
#include "learn/model.hpp"
#include "learn/optimizer.hpp"
#include "learn/order.hpp"
#include "messages/job.hpp"

namespace troupe {

optimizer_description describe(const learn::optimizer_options& o);
local_description describe(const learn::local_steps::options& o);

/// Of which kind the sample keeper and the sample source are.
inline constexpr const char* keeper_kind = "sample_keeper";
inline constexpr const char* source_kind = "sample_source";

held_description describe_held(const learn::data_source& data);

/// The samples of a job that a process holds, where it does not open the data set.
struct held_data {
  learn::held_samples train;
  learn::held_samples test;
};

/// What all roles of one job share in one process. Immutable but for the directory and the counter.
struct hosted_job {
  job_description description;
  std::shared_ptr<const learn::model> model;
  learn::data_source data;          ///< no sets where samples are `held`
  std::unique_ptr<held_data> held;  ///< null: the sets are open here
  learn::augmentation augmentation; ///< all zero: none
  placement shards;
  learn::sample_order order;
  std::shared_ptr<directory> roles;
  std::atomic<uint64_t> dropped = 0; ///< messages dropped by roles of this process other than agents (I13)
  /// Of gradients and parameters, by roles of this process, and of its worker processes as far as they have said.
  std::atomic<uint64_t> sent_bytes = 0;
  std::atomic<uint64_t> received_bytes = 0; ///< of gradients, by shard holders of this process
  std::atomic<uint64_t> lent_bytes = 0; ///< of tensors that worker processes have lent on their hosts, as last heard
  std::atomic<uint64_t> not_lent = 0;   ///< tensors that they sent instead, as a bound was reached (R13)
  /// Of samples that keepers of this process, and of worker processes as far as they have said, got from the source and
  /// from keepers elsewhere; and that one of these processes held at a time, at most.
  std::atomic<uint64_t> from_source = 0;
  std::atomic<uint64_t> from_keepers = 0;
  std::atomic<uint64_t> most_held = 0;
  std::function<void(const run_event&)> on_event; ///< of the leader; may be empty
  void held_so_much(uint64_t bytes) {
    for (auto before = most_held.load(); before < bytes && !most_held.compare_exchange_weak(before, bytes);)
      ;
  }

  [[nodiscard]] learn::batch_sizes sizes() const {
    return {description.samples, description.batch, description.micro_batch};
  }
  [[nodiscard]] learn::sample_shape sample_shape() const {
    return {static_cast<int>(description.channels), static_cast<int>(description.height),
            static_cast<int>(description.width)};
  }
  [[nodiscard]] learn::exchange_options exchange() const {
    return {static_cast<learn::exchange_kind>(description.exchange), description.data_shards};
  }
  /// Who meets whom, where replicas differ.
  [[nodiscard]] std::optional<gossip_rounds> gossip() const;
  /// Of the roles that hold everything for one agent each, in place of shard holders; empty: there are none.
  [[nodiscard]] const char* peer_kind() const {
    return description.ring ? "ring_peer" : description.gossip ? "gossip_peer" : "";
  }
  [[nodiscard]] bool has_peers() const { return description.ring || description.gossip; }
  [[nodiscard]] bool sharded() const { return description.sharded; }
  /// Whether the holder of a shard lives beside the agent: what they hand each other does not leave their process.
  [[nodiscard]] bool beside(uint32_t shard, const role_id& agent) const {
    auto holder = sharded() ? roles->entry({"shard_holder", shard}) : std::nullopt;
    return holder && (holder->rank == leader_rank ? shard : holder->rank) == agent.index;
  }
  /// Who holds a shard, as an agent sees it: its own peer, where there are peers, holds everything.
  [[nodiscard]] role_id holder(uint32_t shard, const role_id& agent) const {
    return has_peers() ? role_id{peer_kind(), agent.index} : role_id{"shard_holder", shard};
  }
  /// Agents push to aggregators.
  [[nodiscard]] bool aggregates() const { return description.fan_in != 0; }
  /// To whom an agent pushes what it contributes to a shard.
  [[nodiscard]] role_id taker(uint32_t shard, const role_id& agent) const {
    return aggregates() ? aggregator_of(agent, description.fan_in) : holder(shard, agent);
  }
  /// Agents contribute what local steps have made of the parameters, not gradients.
  [[nodiscard]] bool local() const { return description.local.steps > 1; }
  [[nodiscard]] learn::local_steps::options local_steps() const;
  [[nodiscard]] learn::compression_options compression() const {
    return {static_cast<learn::compression_kind>(description.compression), description.compression_keep};
  }
  [[nodiscard]] bool compresses() const { return compression().kind != learn::compression_kind::none; }
  [[nodiscard]] learn::combine_options combine() const {
    return {static_cast<learn::combine_kind>(description.combine), description.combine_bad, description.combine_bucket};
  }
  [[nodiscard]] learn::optimizer_options optimizer() const;
  /// Whether an agent that is done takes over what a slower one has not begun: where steps are shared, each sum follows
  /// the tree, and nobody has to know beforehand who contributes what.
  [[nodiscard]] bool splits_leases() const {
    return pace() == troupe::pace::synchronous() && !has_peers() && !aggregates() && !compresses();
  }
  [[nodiscard]] troupe::pace pace() const { return {description.ahead, description.in_order}; }

  /// Opens data, unless its samples are to be held, and model as described; one sentence where this host cannot take
  /// part.
  static expected<std::shared_ptr<hosted_job>> open(const job_description& what, std::shared_ptr<directory> roles);
  /// The same with data and model at hand.
  hosted_job(job_description what, std::shared_ptr<const learn::model> m, learn::data_source d,
             std::shared_ptr<directory> r);
};

} // namespace troupe
