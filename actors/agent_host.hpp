#pragma once

#include <caf/actor_addr.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "actors/hosted_job.hpp"
#include "actors/shard_vault.hpp"
#include "gpu/device.hpp"
#include "messages/interfaces.hpp"
#include "supervision/in_place.hpp"
#include "supervision/pulse.hpp"

namespace troupe {

/// Hosts agents of one job at a time in its own process, a worker process, on behalf of a leader elsewhere; with each
/// agent, at its side, its ring peer, or shard holders and replicas, and its sample keeper.
/// Receives `hello`, `spawn_agent`, `heartbeat`, `bind_role` (the leader), `leave_run` (its process), upon which it
/// ends when its roles have left; a shard holder stays until its shard has moved, and it says so. Refuses, with a
/// sentence in the answer: another protocol version, a second job, more agents than slots, a job that this host cannot
/// open. When the supervisor of a role is gone, the role ends; when none is left, the host is free again (T4: orphans
/// stop). Ends the whole process when a role does not get on with a message within the job's limit, since nothing else
/// helps (T5). Connects to the processes of other ring peers, shard holders, or of its agent's aggregator, so that the
/// leader is not in the way of what goes there; a role whose connection was lost is named in the next `alive`, and is
/// then bound again. Spawned detached, because opening data reads files.
class agent_host final : public agent_host_actor::base {
public:
  struct config {
    uint32_t slots = 1;
    uint32_t threads = 0;                 ///< per agent; 0: as the job says
    uint32_t protocol = protocol_version; ///< tests pretend to be another version
  };

  agent_host(caf::actor_config& cfg, config c) : agent_host_actor::base(cfg), config_(c) {}
  ~agent_host() override;
  const char* name() const override { return "troupe.agent_host"; }
  behavior_type make_behavior() override;

private:
  hello welcome(const hello& from) const;
  agent_spawned spawn_here(const spawn_agent& what);
  caf::strong_actor_ptr spawn_role(const spawn_agent& what, in_place_link link);
  std::optional<gpu::device> lane_for_files(const role_id& role);
  gpu::device device_of(const role_id& role, uint32_t rank);
  void leave(const leave_run& word);
  void bind(const bind_role& entry);
  void watch_for_loss(const bind_role& entry);
  static void read_shared(const process_place& place);
  void watch_supervisor(const caf::strong_actor_ptr& supervisor);
  void release();
  void release_if_empty();
  void leave_if_empty();
  void look_for_stuck_handlers();
  [[nodiscard]] bool hosts_rank(uint32_t rank) const;
  [[nodiscard]] uint32_t slots_taken() const;

  struct hosted_role {
    caf::strong_actor_ptr handle;
    caf::actor_addr supervisor;
    std::shared_ptr<pulse> beat;
    stuck_watch watch;
    uint32_t rank; ///< of the agent that it is, or lives beside
  };

  config config_;
  std::shared_ptr<directory> roles_;
  std::shared_ptr<hosted_job> job_;
  std::shared_ptr<shard_vault> vault_; // what outlives ring peers and shard holders
  std::map<role_id, hosted_role> hosted_;
  std::map<role_id, gpu::device> devices_; // by the role that has its own; drained when this ends
  std::set<caf::actor_addr> watched_;      // supervisors
  std::set<role_id> lost_;                 // roles elsewhere whose handles have gone stale
  uint64_t sent_bytes_ = 0;                // by the roles of the last job
  struct {
    uint64_t from_source = 0, from_keepers = 0, most_held = 0;
  } samples_; // of the last job
  bool leaving_ = false;
};

} // namespace troupe
