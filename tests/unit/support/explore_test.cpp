#include "tests/support/explore.hpp"

#include <caf/event_based_actor.hpp>
#include <catch2/catch_test_macros.hpp>

#include "messages/caf.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Counts what it is told.
struct counter {
  explicit counter(simulation& world) {
    const auto a = world.add_host("a");
    const auto b = world.add_host("b");
    auto there = world.on(b, [&] {
      return world.system().spawn(
        [this](caf::event_based_actor*) -> caf::behavior { return {[this](int) { ++got; }}; });
    });
    world.name(there, "counter");
    world.on(a, [&] {
      for (int i = 0; i < 10; ++i)
        troupe::anon_send(world.reach(a, there), i);
    });
  }
  int got = 0;
};

} // namespace

TEST_CASE("a rule that a lost message breaks is found, with the seed, the mix and the end of the trace") {
  const auto result = explore({.most = {.loss = 0.5},
                               .play =
                                 [](simulation& world) {
                                   auto& all = world.make<counter>(world);
                                   world.storm(1s);
                                   if (all.got != 10)
                                     world.violated("I1: a message is missing");
                                 }},
                              1, 100);
  REQUIRE(result.found);
  CHECK(result.found->sentence == "I1: a message is missing");
  CHECK(result.found->mix.find("loss") != std::string::npos);
  CHECK(result.found->end.find("counter handles message(") != std::string::npos);
  CHECK(result.found->end.find("counter loses message(") != std::string::npos);
  CHECK(result.played == result.found->seed);
}

TEST_CASE("without loss the same rule holds for every seed") {
  const auto result = explore({.most = {.reorder = 0.5, .delay = 10ms, .cuts = 1, .haste = 0.2},
                               .play =
                                 [](simulation& world) {
                                   auto& all = world.make<counter>(world);
                                   world.calm();
                                   world.expect(
                                     "I8: all is told", [&] { return all.got == 10; }, 1s);
                                 }},
                              1, 100);
  CHECK_FALSE(result.found);
  CHECK(result.played == 100);
}

TEST_CASE("what depends on anything but the seed is found by the second run (I14)") {
  int runs = 0;
  const auto result = explore({.most = {},
                               .play =
                                 [&](simulation& world) {
                                   world.make<counter>(world);
                                   world.storm(1s);
                                   if (++runs == 8)
                                     world.note("now and then");
                                 }},
                              1, 10);
  REQUIRE(result.found);
  CHECK(result.found->seed == 4);
  CHECK(result.found->sentence.starts_with("I14: two runs of seed 4 differ from event "));
}

TEST_CASE("what never comes to rest is found (I12)") {
  const auto result = explore({.most = {},
                               .play =
                                 [](simulation& world) {
                                   const auto a = world.add_host("a");
                                   world.on(a, [&] {
                                     world.system().spawn([](caf::event_based_actor* self) -> caf::behavior {
                                       troupe::send(self, self, 1);
                                       return {[self](int x) { troupe::send(self, self, x); }};
                                     });
                                   });
                                   world.storm(1s);
                                 }},
                              1, 1);
  REQUIRE(result.found);
  CHECK(result.found->sentence.starts_with("I12: "));
}

TEST_CASE("arguments that are not understood are refused, and a finding is an exit code") {
  const scenario bad{.most = {}, .play = [](simulation& world) { world.violated("S1: never"); }};
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "program");
    std::vector<char*> arguments;
    arguments.reserve(words.size());
    for (auto& w : words)
      arguments.push_back(w.data());
    return simulate(bad, static_cast<int>(arguments.size()), arguments.data());
  };
  CHECK(run({"--seeds", "many"}) == 2);
  CHECK(run({"--seeds"}) == 2);
  CHECK(run({"--sseds", "3"}) == 2);
  CHECK(run({"--seeds", "3"}) == 1);
  CHECK(run({"--seed", "3"}) == 1);
}
