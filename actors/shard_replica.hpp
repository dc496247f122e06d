#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <chrono>
#include <memory>
#include <optional>

#include "actors/hosted_job.hpp"
#include "actors/replica_core.hpp"
#include "actors/shard_memory.hpp"
#include "gpu/stream.hpp"
#include "messages/interfaces.hpp"
#include "supervision/in_place.hpp"

namespace troupe {

/// Keeps a second copy of a shard, parameters and optimiser state, in another process than its holder's (see
/// `replica_core`). When the holder is lost, or moves, its next incarnation starts in the replica's process and comes
/// back with what is in the vault there; the replica ends then, and begins elsewhere.
/// Receives `shard_state`, `replicate_sums`, `replicate_update` (the holder), `view_changed`, `hand_over_shard`
/// (coordinator), upon which it ends, `role_bound` (directory); sends `follow_shard`, `sums_replicated`,
/// `update_replicated` to the holder and `join` to the coordinator, as soon as it has the shard. Fails with a reason
/// when its stream does. Owns one stream.
class shard_replica {
public:
  using interface = shard_replica_actor;
  static constexpr const char* actor_name = "troupe.shard_replica";

  struct config {
    role_id role;
    std::shared_ptr<hosted_job> job;
    std::shared_ptr<shard_vault> vault;
    learn::optimizer_options optimizer;
    gpu::device where;
    bool waits = false; ///< there is no place for it: it does nothing until it is ended
  };

  shard_replica(interface::pointer self, life now, const config& c);
  interface::behavior_type make_behavior();

private:
  void perform(const replica_core::actions& actions);
  void perform(const replica_core::follow& a);
  void perform(const replica_core::take& a);
  void perform(const replica_core::apply& a);
  void perform(const replica_core::acknowledge& a);
  void perform(const replica_core::announce&);
  void keep(const replicate_sums& s);
  [[nodiscard]] replicate_update with_sums(replicate_update u) const;
  [[nodiscard]] bool fits(const std::vector<block_id>& ids, const std::vector<payload>& sums, bool may_lack) const;
  void counted(uint64_t dropped_before);
  void schedule_tick();

  interface::pointer self_;
  life now_;
  config config_;
  replica_core core_;
  gpu::stream stream_;
  std::optional<shard_memory> memory_; // none: it waits
  bool superseded_ = false;
  std::chrono::milliseconds patience_;
};

} // namespace troupe
