#pragma once

#include <caf/event_based_actor.hpp>
#include <functional>
#include <optional>
#include <string>

#include "actors/worker_process.hpp"
#include "supervision/start.hpp"

namespace troupe {

/// A worker process as a child of its node's supervisor (T5). Spawned detached, because starting a process and waiting
/// for its end block.
///
/// Starts the process and reports ready when that listens. Receives `leave_run`, which it passes on: the process ends
/// when its agent has left, and this actor normally. Exit messages: it kills the process, in which nothing is worth
/// waiting for, and ends. Ends with the process: the reason names the exit code or the signal. Owns the process, which
/// never outlives it.
class worker final : public caf::event_based_actor {
public:
  struct config {
    worker_options how;
    start_notice notice;
    std::function<void(uint16_t port, const caf::actor& self)> on_ready;
    std::function<void(const std::string& how, const caf::actor& self)> on_end; ///< the process ended by itself
  };

  worker(caf::actor_config& cfg, config c) : caf::event_based_actor(cfg), config_(std::move(c)) {}
  const char* name() const override { return "troupe.worker"; }

protected:
  caf::behavior make_behavior() override;
  void on_exit() override;

private:
  expected<uint16_t> open();
  void look();

  config config_;
  std::optional<worker_process> process_;
  bool leaving_ = false;
};

} // namespace troupe
