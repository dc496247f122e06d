#pragma once

#include <caf/event_based_actor.hpp>
#include <memory>
#include <optional>

#include "actors/hosted_job.hpp"
#include "actors/worker_process.hpp"
#include "messages/interfaces.hpp"
#include "supervision/failure_detector.hpp"
#include "supervision/start.hpp"

namespace troupe {

/// The near end of an agent that lives in another process: what its supervisor starts, watches and stops (T5). Spawned
/// detached, because starting a process and waiting for its end block.
///
/// Starts a worker process, or has a node do so; greets its agent host, has the agent spawned there and then reports
/// ready. Sends the host heartbeats: silence makes the agent unreachable, so that others take over its part of
/// the step, and at last dead (T4, R8). Receives `replace_state` and exit messages, which it passes on. Ends with the
/// agent: the reason names the exit code or the signal that ended the process. Owns the process, unless that is a
/// node's; it never outlives its owner.
class remote_agent final : public caf::event_based_actor {
public:
  struct config {
    role_id role;
    std::shared_ptr<hosted_job> job;
    start_notice notice;
    incarnation number;
    std::function<expected<worker_process>()> launch; ///< empty: a node starts the process
    std::string node;                                 ///< HOST:PORT of that node
    std::function<void(bool)> on_tried;               ///< whether the start there was a success; may be empty
    failure_detector::options detection;
  };

  remote_agent(caf::actor_config& cfg, config c);
  const char* name() const override { return "troupe.remote_agent"; }

protected:
  caf::behavior make_behavior() override;
  void on_exit() override;

private:
  expected<void> open();
  void spawn_there();
  void spawned(const agent_spawned& answer);
  void beat();
  void judge(reachability now);
  void ended(const caf::error& reason);
  void fail_start(const failure& why);

  config config_;
  std::optional<worker_process> process_;
  node_actor node_;       // null: the process is this one's own
  agent_host_actor host_; // in the agent's process
  caf::actor agent_;
  failure_detector detector_;
  reachability last_ = reachability::reachable;
  uint64_t beats_ = 0;
  bool asked_ = false; // the node, how the process ended
};

} // namespace troupe
