#pragma once

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <algorithm>
#include <chrono>

#include "messages/registry.hpp"

namespace troupe::testing {

/// An actor system on one thread, the test's, whose clock moves only when it is told to.
class virtual_system {
public:
  virtual_system() : scheduler_(dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler())) {}

  [[nodiscard]] caf::actor_system& system() { return system_; }

  /// Handles all messages there are and those that come of them; no time passes.
  void run() {
    while (scheduler_.try_run_once()) {
    }
  }

  /// Handles all messages, then lets `time` pass, stopping at each timer on the way to handle what it brings about.
  void pass(std::chrono::nanoseconds time) {
    run();
    auto& clock = scheduler_.clock();
    auto until = clock.current_time + time;
    while (!clock.schedule.empty() && clock.schedule.begin()->first <= until) {
      scheduler_.trigger_timeout();
      run();
    }
    clock.current_time = std::max(clock.current_time, until);
  }

private:
  struct config : caf::actor_system_config {
    config() {
      register_messages();
      set("caf.scheduler.policy", "testing");
      set("caf.logger.console.verbosity", "quiet");
    }
  };

  config config_;
  caf::actor_system system_{config_};
  caf::scheduler::test_coordinator& scheduler_;
};

} // namespace troupe::testing
