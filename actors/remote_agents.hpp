#pragma once

#include <algorithm>
#include <caf/actor_system.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "actors/hosted_job.hpp"
#include "actors/job.hpp"
#include "actors/node_choice.hpp"
#include "actors/worker_process.hpp"
#include "messages/interfaces.hpp"
#include "supervision/start.hpp"

namespace troupe {

/// Agents outside of this process, each with its ring peer or shard holder at its side, if it has one: each in a worker
/// process of this machine, or spread over the nodes of the job.
class remote_agents : public std::enable_shared_from_this<remote_agents> {
public:
  /// With `--isolation process` starts the worker processes, which get ready meanwhile, and take only who knows the
  /// secret; with `--nodes` greets every node.
  static expected<std::shared_ptr<remote_agents>> make(caf::actor_system& system, const job_options& options,
                                                       std::string secret);

  /// Refuses what a node would refuse. Blocks.
  expected<void> connect(const hosted_job& job);

  /// Starts an incarnation of an agent, or of a role beside one, in the worker process of that rank: the one there is,
  /// or a new one.
  started start(const role_id& role, uint32_t rank, const start_context& c, const std::shared_ptr<hosted_job>& job);

private:
  remote_agents(caf::actor_system& system, job_options options, std::string secret)
    : system_(system), options_(std::move(options)), secret_(std::move(secret)),
      choice_(std::max<size_t>(options_.nodes.size(), 1)), homes_(place_agents(options_).value()) {}

  struct slot {
    incarnation number;
    caf::weak_actor_ptr worker;
  };

  expected<worker_process> launch(uint32_t rank);
  void tried(size_t node, bool good);
  caf::actor worker_for(uint32_t rank, const start_context& c, const std::shared_ptr<hosted_job>& job);

  caf::actor_system& system_;
  job_options options_;
  std::string secret_;
  std::mutex mutex_;
  std::map<uint32_t, worker_process> ready_; // the first ones, started ahead
  std::map<uint32_t, slot> slots_;           // by rank
  node_choice choice_;
  std::vector<uint32_t> homes_; // by rank: the node where an agent belongs
};

} // namespace troupe
