// A supervision tree of two actors, one of which stumbles: it is started again under the same name, with the next
// incarnation, and nobody else notices.
//
// Run: build/release/bin/hello_topology

#include <caf/event_based_actor.hpp>
#include <cstdio>

#include "actors/runtime.hpp"
#include "messages/caf.hpp"
#include "supervision/supervise.hpp"

using namespace troupe;
using namespace std::chrono_literals;

int main() {
  auto rt = runtime{};

  // Fails on its first two starts.
  auto stumbler = startable{"stumbler/0", [](const start_context& c) -> started {
                              return c.system.spawn([number = c.number.value](caf::event_based_actor* self) {
                                std::printf("stumbler/0 #%lu starts\n", number);
                                run_after(self, 20ms, [=] {
                                  if (number < 3)
                                    throw std::runtime_error("tripped over its own feet");
                                  std::printf("stumbler/0 #%lu stands\n", number);
                                  self->quit();
                                });
                              });
                            }};
  auto watcher = startable{"watcher/0", [](const start_context& c) -> started {
                             return c.system.spawn([](caf::event_based_actor* self) {
                               std::puts("watcher/0 starts, once");
                               return caf::behavior{[self](int) { self->quit(); }};
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
