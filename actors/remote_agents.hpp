#pragma once

#include <caf/actor_system.hpp>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "actors/agent_places.hpp"
#include "actors/hosted_job.hpp"
#include "actors/job.hpp"
#include "actors/worker_process.hpp"
#include "messages/interfaces.hpp"
#include "supervision/start.hpp"

namespace troupe {

/// Agents outside of this process, each with its ring peer or shard holder at its side, if it has one: each in a worker
/// process of this machine, or spread over the nodes of the job.
class remote_agents : public std::enable_shared_from_this<remote_agents> {
public:
  /// With `--isolation process` starts the worker processes, which get ready meanwhile, and take only who knows the
  /// secret. `goes_on`: in a run that has begun, where a node that is lost is borne from the first start on.
  static expected<std::shared_ptr<remote_agents>> make(caf::actor_system& system, const job_options& options,
                                                       std::string secret, bool goes_on);

  /// Greets every node, and refuses what one would refuse. Blocks.
  expected<void> connect(const hosted_job& job);

  /// What others have to hear of places on nodes. Called in the contexts of `remote_worker`s.
  struct observer {
    std::function<void(const std::string&)> on_note;     ///< a sentence the user should see
    std::function<void(uint32_t)> on_wait;               ///< there is no place for that agent: it waits for one
    std::function<void(const std::string&)> on_hopeless; ///< no agent has had one for too long: a sentence
  };
  /// Before the first start.
  void observe(observer o) { observer_ = std::move(o); }

  /// Starts an incarnation of an agent, or of a role beside one, in the worker process of that rank: the one there is,
  /// or a new one.
  started start(const role_id& role, uint32_t rank, const start_context& c, const std::shared_ptr<hosted_job>& job);

private:
  remote_agents(caf::actor_system& system, job_options options, std::string secret, bool goes_on);

  struct slot {
    incarnation number;
    caf::weak_actor_ptr worker;
  };

  expected<worker_process> launch(uint32_t rank);
  caf::actor worker_for(uint32_t rank, const start_context& c, const std::shared_ptr<hosted_job>& job);

  caf::actor_system& system_;
  job_options options_;
  std::string secret_;
  bool goes_on_;
  observer observer_;
  std::shared_ptr<agent_places> places_; // null: there are no nodes
  std::mutex mutex_;
  std::map<uint32_t, worker_process> ready_; // the first ones, started ahead
  std::map<uint32_t, slot> slots_;           // by rank
};

} // namespace troupe
