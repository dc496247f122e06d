#include "tests/support/simulation.hpp"

#include <caf/event_based_actor.hpp>
#include <catch2/catch_test_macros.hpp>

#include "gpu/stream.hpp"
#include "messages/caf.hpp"
#include "supervision/run_tree.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

caf::actor spawn_echo(simulation& world, host where) {
  return world.on(where, [&] {
    return world.system().spawn([](caf::event_based_actor*) -> caf::behavior { return {[](int x) { return x; }}; });
  });
}

/// Asks `whom` for its echo of 7 and keeps what became of it.
struct asker {
  asker(simulation& world, host where, const caf::actor& whom) {
    world.on(where, [&] {
      actor = world.system().spawn([this, whom](caf::event_based_actor* self) {
        request(self, whom, 10s, 7).then([this](int x) { answer = x; }, [this](const caf::error& e) { error = e; });
      });
    });
  }
  caf::actor actor; // held: in CAF 1.x what waits for an answer does not live by that
  int answer = 0;
  caf::error error;
};

} // namespace

TEST_CASE("a request and its answer travel over links") {
  simulation world{1, {}};
  const auto a = world.add_host("a");
  const auto b = world.add_host("b");
  const auto there = world.reach(a, spawn_echo(world, b));
  auto& asking = world.make<asker>(world, a, there);
  CHECK(world.run_until([&] { return asking.answer == 7; }, 1s));
  CHECK(world.now() > instant{});
  CHECK(world.now() < instant{} + 1ms);
  CHECK(world.reach(b, spawn_echo(world, b)).node() == world.system().node()); // no proxy at home
}

TEST_CASE("a host that crashes answers nothing, its peers are told, and it boots again") {
  simulation world{1, {}};
  const auto a = world.add_host("a");
  int boots = 0;
  const auto b = world.add_host("b", [&] { ++boots; });
  world.run_until([] { return false; }, 1s);
  CHECK(boots == 1);
  const auto echo = spawn_echo(world, b);
  const auto there = world.reach(a, echo);
  caf::error told;
  const auto watcher = world.on(a, [&] { // held, or it would have no reason to live
    return world.system().spawn([&](caf::event_based_actor* self) {
      troupe::monitor(self, there, [&](const caf::error& e) { told = e; });
      return caf::behavior{[](int) {}};
    });
  });
  auto& asking = world.make<asker>(world, a, there);
  world.crash(b);
  CHECK(world.run_until([&] { return told == caf::exit_reason::remote_link_unreachable; }, 1s));
  CHECK(world.run_until([&] { return asking.error == caf::sec::request_timeout; }, 1min));
  CHECK(world.life(b) == 1);
  world.boot(b);
  CHECK(boots == 2);
  CHECK(world.life(b) == 2);
}

TEST_CASE("a child starts on another host, its end travels back, and the next incarnation takes its place") {
  simulation world{1, {}};
  const auto a = world.add_host("a");
  const auto b = world.add_host("b");
  std::vector<incarnation> starts;
  caf::actor latest;
  std::optional<tree_end> end;
  const startable child{"child", [&](const start_context& c) -> started {
                          starts.push_back(c.number);
                          latest =
                            c.system.spawn([](caf::event_based_actor*) -> caf::behavior { return {[](int) {}}; });
                          return latest;
                        }};
  auto running = world.on(a, [&] {
    return run_tree(world.system(), supervise("root").child(world.start_on(b, child)),
                    {.on_ready = {}, .on_report = {}, .on_end = [&](const tree_end& e) { end = e; }});
  });
  REQUIRE(running);
  CHECK(world.run_until([&] { return starts.size() == 1; }, 1s));
  world.run_until([] { return false; }, 1s);
  anon_send_exit(latest, caf::error{caf::exit_reason::kill});
  CHECK(world.run_until([&] { return starts.size() == 2; }, 1s));
  world.run_until([] { return false; }, 1s);
  running->stop();
  CHECK(world.run_until([&] { return end.has_value(); }, 1s));
  CHECK(end->restarts == 1);
  CHECK(starts == std::vector{incarnation{1}, incarnation{2}});
}

TEST_CASE("work on a device takes virtual time, in order") {
  simulation world{1, {}};
  const auto a = world.add_host("a");
  gpu::stream lane{world.add_device(a, 10ms), [](const std::exception_ptr&) {}};
  std::vector<std::pair<int, instant>> done;
  for (int i = 0; i < 20; ++i)
    lane.enqueue([&, i] { done.emplace_back(i, world.now()); });
  CHECK(world.run_until([&] { return done.size() == 20; }, 1s));
  for (int i = 1; i < 20; ++i) {
    CHECK(done[static_cast<size_t>(i)].first == i);
    CHECK(done[static_cast<size_t>(i)].second >= done[static_cast<size_t>(i - 1)].second);
  }
  CHECK(world.now() > instant{} + 20ms);
  CHECK(world.now() < instant{} + 200ms);
}
