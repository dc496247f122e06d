#pragma once

#include <caf/actor_addr.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <map>
#include <memory>
#include <vector>

#include "actors/hosted_job.hpp"
#include "gpu/device.hpp"
#include "messages/interfaces.hpp"
#include "supervision/pulse.hpp"

namespace troupe {

/// Hosts agents of one job at a time in its own process, a worker process, on behalf of a leader elsewhere.
/// Receives `hello`, `spawn_agent`, `heartbeat`, `bind_role` (the leader), `leave_run` (its process), upon which it
/// ends when its agents have left. Refuses, with a sentence in the answer: another protocol version, a second job, more
/// agents than slots, a job that this host cannot open. When the supervisor of its agents is gone, they end and the
/// host is free again (T4: orphans stop). Ends the whole process when an agent does not get on with a message within
/// the job's limit, since nothing else helps (T5). Spawned detached, because opening data reads files.
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
  void watch_supervisor();
  void release();
  void leave_if_empty();
  void look_for_stuck_handlers();

  struct hosted_agent {
    caf::strong_actor_ptr handle;
    std::shared_ptr<pulse> beat;
    stuck_watch watch;
  };

  config config_;
  std::shared_ptr<directory> roles_;
  std::shared_ptr<hosted_job> job_;
  std::map<role_id, hosted_agent> agents_;
  std::vector<gpu::device> devices_; // one per agent started; drained when the node ends
  caf::actor_addr watched_;          // the agents' supervisor
  bool leaving_ = false;
};

} // namespace troupe
