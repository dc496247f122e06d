#pragma once

#include <caf/event_based_actor.hpp>

#include <catch2/catch_test_macros.hpp>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "messages/caf.hpp"
#include "supervision/exit_reason.hpp"
#include "supervision/run_tree.hpp"
#include "tests/topology/virtual_system.hpp"

namespace troupe::testing {

using namespace std::chrono_literals;

using strings = std::vector<std::string>;

/// A tree of actors that do as they are told, and a record of who started and ended when.
struct stage : virtual_system {
  strings did;                           ///< "start a", "end a", "ready", "end of the tree"
  std::map<std::string, caf::actor> now; ///< the latest actor of each name
  std::map<std::string, incarnation> number;
  std::vector<supervision_report> reports;
  std::optional<tree_end> end;
  std::optional<running_tree> tree;

  ~stage() {
    if (tree && !end) {
      tree->stop();
      pass(1min);
    }
    now.clear();
    run();
  }

  /// Obeys strings: "throw", "fail", "done"; answers numbers by themselves.
  caf::actor spawn_child(const std::string& name, bool stubborn = false) {
    return system().spawn([this, name, stubborn](caf::event_based_actor* self) -> caf::behavior {
      if (stubborn)
        on_exit_message(self, [](caf::exit_msg&) {});
      self->attach_functor([this, name](const caf::error&) { did.push_back("end " + name); });
      return {
        [self](const std::string& order) {
          if (order == "throw")
            throw std::runtime_error("as told");
          self->quit(order == "fail" ? reason_of(failure{"as told"}) : caf::error{});
        },
        [](int x) { return x; },
      };
    });
  }

  startable child(std::string name, bool stubborn = false) {
    return {std::move(name), [this, stubborn](const start_context& c) {
              did.push_back("start " + c.id);
              number[c.id] = c.number;
              return now[c.id] = spawn_child(c.id, stubborn);
            }};
  }

  void play(const supervision_tree& what) {
    auto running = run_tree(system(), what,
                            {.on_ready = [this] { did.emplace_back("ready"); },
                             .on_report = [this](const supervision_report& r) { reports.push_back(r); },
                             .on_end =
                               [this](const tree_end& e) {
                                 did.emplace_back("end of the tree");
                                 end = e;
                               }});
    REQUIRE(running);
    tree = std::move(*running);
    run();
  }

  void tell(const std::string& name, const std::string& order) {
    troupe::anon_send(now.at(name), order);
    run();
  }

  strings seen() { return std::exchange(did, {}); }
};

} // namespace troupe::testing
