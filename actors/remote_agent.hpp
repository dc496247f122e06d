#pragma once

#include <caf/event_based_actor.hpp>
#include <memory>
#include <optional>

#include "actors/remote_worker.hpp"
#include "supervision/start.hpp"

namespace troupe {

/// The near end of an agent, or of a ring peer or shard holder at its side, that lives in a worker process: what its
/// supervisor starts, watches and stops (T5).
///
/// Has the role spawned by its `remote_worker`, then reports ready; also while that waits for a place, as the wait is
/// no failure. Receives `replace_state` and exit messages, which it passes on. Ends with the role, or with the process,
/// whose reason names the exit code or the signal; in each case not before the process has, unless that is still needed
/// by the other role.
class remote_agent final : public caf::event_based_actor {
public:
  struct config {
    role_id role;
    incarnation number;
    start_notice notice;
    caf::actor worker;
  };

  remote_agent(caf::actor_config& cfg, config c) : caf::event_based_actor(cfg), config_(std::move(c)) {}
  const char* name() const override { return "troupe.remote_agent"; }

protected:
  caf::behavior make_behavior() override;
  void on_exit() override;

private:
  void ready();
  void spawned(const agent_spawned& answer);
  void leave(const exit_cause& why);
  template <class F>
  void in_worker(F f);

  config config_;
  caf::actor there_;
  bool is_ready_ = false;
  std::optional<exit_cause> end_; // its own, while the process ends
};

} // namespace troupe
