#pragma once

#include <caf/actor_system_config.hpp>

#include <chrono>

#include "messages/registry.hpp"
#include "tests/support/stepped_system.hpp"

namespace troupe::testing {

/// An actor system on one thread, the test's, whose clock moves only when it is told to.
class virtual_system {
public:
  [[nodiscard]] caf::actor_system& system() { return stepped_.system(); }

  /// Handles all messages there are and those that come of them; no time passes.
  void run() {
    while (stepped_.run_first()) {
    }
  }

  /// Handles all messages, then lets `time` pass, stopping at each timer on the way to handle what it brings about.
  void pass(std::chrono::nanoseconds time) {
    run();
    const auto until = stepped_.now() + time;
    for (auto next = stepped_.next_timer(); next && *next <= until; next = stepped_.next_timer()) {
      stepped_.run_timer();
      run();
    }
    stepped_.set_now(until);
  }

private:
  struct config : caf::actor_system_config {
    config() {
      register_messages();
      set("caf.logger.console.verbosity", "quiet");
    }
  };

  config config_;
  stepped_system stepped_{config_};
};

} // namespace troupe::testing
