// An actor type of one's own on another host: one line registers it, and the same program is the node there. The tree
// here has it started, watches it and starts it again, on another node if need be.
//
// Run: build/release/bin/remote_actor node --listen 127.0.0.1:7001 &
//      build/release/bin/remote_actor 127.0.0.1:7001

#include <cstdio>
#include <unistd.h>

#include "actors/node_program.hpp"
#include "actors/remote_place.hpp"
#include "actors/runtime.hpp"

using namespace troupe;

struct greeting {
  std::string words;
  template <class Inspector>
  friend bool inspect(Inspector& f, greeting& x) {
    return f.object(x).fields(f.field("words", x.words));
  }
};

class greeter final : public caf::event_based_actor {
public:
  greeter(caf::actor_config& cfg, greeting with) : event_based_actor(cfg), words_(std::move(with.words)) {}

  caf::behavior make_behavior() override {
    return {[this](const std::string& who) { return words_ + who + ", from process " + std::to_string(getpid()); }};
  }

private:
  std::string words_;
};

const auto greeters = spawnable<greeter, greeting>("greeter"); // registered

int main(int argc, char** argv) {
  if (auto code = run_as_node(argc, argv, {greeters}))
    return *code;
  auto rt = runtime{{.network = true}};
  auto roles = std::make_shared<directory>();
  auto place = remote_place{{argv + 1, argv + argc}, roles};
  auto caller = startable{"caller/0", [roles](const start_context& c) {
                            return c.system.spawn([roles](caf::event_based_actor* self) {
                              request(self, roles->find_as<caf::actor>({"greeter", 0}), std::chrono::seconds{10},
                                      std::string{"world"})
                                .then([self](const std::string& answer) { std::puts(answer.c_str()), self->quit(); });
                            });
                          }};
  auto tree = supervise("greetings", one_for_one, at_most(3, std::chrono::minutes{1}))
                .child(on(place, {"greeter", 0}, greeters, {"Good morning, "}))
                .child(caller, transient, significant);
  auto end = rt.run(tree);
  return std::puts(to_string(end->cause).c_str()), end->failed() ? 1 : 0;
}

// Good morning, world, from process 4711
// caller/0 #1 ended (normal)
