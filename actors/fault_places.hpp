#pragma once

#include <array>
#include <caf/error.hpp>
#include <caf/exit_reason.hpp>

#include "messages/caf.hpp"
#include "supervision/fault_points.hpp"
#include "supervision/life.hpp"

namespace troupe {

/// The fault points of the roles.
namespace places {

inline constexpr fault_place agent_on_lease{"actors.agent.on_lease", "agent",
                                            actor_faults | message_faults | fault_kinds{fault_kind::leave}};
/// On the agent's stream: an exception there is a failure of the stream.
inline constexpr fault_place agent_before_push{
  "actors.agent.before_push", "agent",
  process_faults | fault_kinds{fault_kind::nan, fault_kind::poison, fault_kind::drop, fault_kind::duplicate}};
inline constexpr fault_place holder_on_push{"actors.shard_holder.on_push", "shard_holder",
                                            actor_faults | message_faults};
inline constexpr fault_place holder_before_apply{"actors.shard_holder.before_apply", "shard_holder", actor_faults};
inline constexpr fault_place aggregator_on_push{"actors.aggregator.on_push", "aggregator",
                                                actor_faults | message_faults};
inline constexpr fault_place peer_on_push{"actors.ring_peer.on_push", "ring_peer", actor_faults | message_faults};
inline constexpr fault_place peer_on_chunk{"actors.ring_peer.on_chunk", "ring_peer", actor_faults | message_faults};
inline constexpr fault_place peer_before_apply{"actors.ring_peer.before_apply", "ring_peer", actor_faults};
inline constexpr fault_place gossip_on_push{"actors.gossip_peer.on_push", "gossip_peer", actor_faults | message_faults};
inline constexpr fault_place gossip_on_parameters{"actors.gossip_peer.on_parameters", "gossip_peer",
                                                  actor_faults | message_faults};
inline constexpr fault_place gossip_before_apply{"actors.gossip_peer.before_apply", "gossip_peer", actor_faults};
inline constexpr fault_place broker_on_request{"actors.data_broker.on_request", "data_broker",
                                               actor_faults | message_faults};
inline constexpr fault_place keeper_on_need{"actors.sample_keeper.on_need", "sample_keeper",
                                            actor_faults | message_faults};
/// What is asked for is answered once: it can be lost or late.
inline constexpr fault_kinds answer_faults{fault_kind::drop, fault_kind::delay};
inline constexpr fault_place keeper_on_request{"actors.sample_keeper.on_request", "sample_keeper",
                                               actor_faults | answer_faults};
inline constexpr fault_place source_on_request{"actors.sample_source.on_request", "sample_source",
                                               actor_faults | answer_faults};
inline constexpr fault_place coordinator_before_commit{"actors.coordinator.before_commit", "coordinator", actor_faults};
inline constexpr fault_place lock_service_on_acquire{"actors.lock_service.on_acquire", "lock_service",
                                                     actor_faults | message_faults};
/// On the stream for files: each write, and each other operation.
inline constexpr fault_kinds disk_faults{fault_kind::disk_full, fault_kind::kill_process, fault_kind::stop_process,
                                         fault_kind::stall};
inline constexpr fault_place checkpoint_write{"actors.checkpoint.write", "coordinator",
                                              disk_faults | fault_kinds{fault_kind::torn_write}};
inline constexpr fault_place checkpoint_file{"actors.checkpoint.file", "coordinator", disk_faults};

inline constexpr std::array all = {
  agent_on_lease,          agent_before_push,    holder_on_push,      holder_before_apply,
  aggregator_on_push,      peer_on_push,         peer_on_chunk,       peer_before_apply,
  gossip_on_push,          gossip_on_parameters, gossip_before_apply, broker_on_request,
  keeper_on_need,          keeper_on_request,    source_on_request,   coordinator_before_commit,
  lock_service_on_acquire, checkpoint_write,     checkpoint_file};

} // namespace places

/// Carries out what a fault point in a handler of a role's state was told; `self` is its shell. True: the handler has
/// nothing more to do. `handle` handles the message, for one that comes late or twice.
template <class Self, class Handle>
bool struck(Self* self, const life& now, const injected& fault, Handle handle) {
  if (!fault.kind)
    return false;
  switch (*fault.kind) {
  case fault_kind::error:
    now.fail(failure{"a planned fault"});
    return true;
  case fault_kind::kill_actor:
    self->quit(caf::exit_reason::kill);
    return true;
  case fault_kind::drop:
    return true;
  case fault_kind::delay:
    run_after(self, fault.time, now.guard(handle));
    return true;
  case fault_kind::duplicate:
    handle();
    return false;
  default:
    return false;
  }
}

} // namespace troupe
