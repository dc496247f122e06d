// A supervision tree of two actors, one of which stumbles: it is started again under the same name, with the next
// incarnation, and nobody else notices.
//
// Run: build/release/bin/hello_topology

#include <caf/event_based_actor.hpp>
#include <caf/sec.hpp>
#include <cstdio>

#include "actors/runtime.hpp"
#include "messages/caf.hpp"
#include "supervision/supervise.hpp"

using namespace troupe;
using namespace std::chrono_literals;

int main() {
  auto rt = runtime{};
  // Fails on its first two starts.
  auto stumbler =
    startable{"stumbler/0", [](const start_context& c) -> started {
                return c.system.spawn([n = c.number.value](caf::event_based_actor* self) -> caf::behavior {
                  std::printf("stumbler/0 #%lu starts\n", n);
                  run_after(self, 20ms, [=] {
                    if (n < 3)
                      return self->quit(caf::make_error(caf::sec::runtime_error, "tripped"));
                    std::printf("stumbler/0 #%lu stands\n", n);
                    self->quit();
                  });
                  return {[](caf::unit_t) {}};
                });
              }};
  auto watcher = startable{"watcher/0", [](const start_context& c) -> started {
                             return c.system.spawn([](caf::event_based_actor*) -> caf::behavior {
                               std::puts("watcher/0 starts, once");
                               return {[](caf::unit_t) {}};
                             });
                           }};

  auto tree = supervise("hello", one_for_one, at_most(3, 1min)).child(watcher).child(stumbler, transient, significant);
  std::printf("%s\n", print_tree(tree).c_str());
  auto end = rt.run(tree);
  if (!end) {
    std::puts(end.error().sentence.c_str());
    return 2;
  }
  std::printf("the tree ended after %lu restarts: %s\n", end->restarts, to_string(end->cause).c_str());
  return end->restarts == 2 ? 0 : 1;
}

// hello          one_for_one, at most 3 restarts in 1 min
// ├─ watcher/0   permanent
// └─ stumbler/0  transient, significant
//
// watcher/0 starts, once
// stumbler/0 #1 starts
// stumbler/0 #2 starts
// stumbler/0 #3 starts
// stumbler/0 #3 stands
// the tree ended after 2 restarts: stumbler/0 #3 ended (normal)
