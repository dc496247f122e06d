// A shard holder and a data broker announced themselves once; where that word was lost the coordinator waited for ever.

#include <catch2/catch_test_macros.hpp>

#include "tests/simulation/training_world.hpp"

using namespace troupe::testing;
using namespace std::chrono_literals;

TEST_CASE("a run begins although the first word of each role is lost") {
  int tried = 0;
  for (uint64_t seed = 1; seed < 60; ++seed) {
    simulation world{seed, {.loss = 1}};
    if (world.drawn().loss < 0.8)
      continue;
    ++tried;
    auto& run = world.make<training_world>(world, training_shape{.broker_apart = true},
                                           training_world::add_hosts(world, {.broker_apart = true}));
    world.storm(10s);
    CHECK_FALSE(run.has_ended());
    world.calm();
    CHECK(world.expect(
      "I8: the run ends", [&] { return run.has_ended(); }, 5min));
    run.check_end();
    INFO("seed " << seed << ": " << world.violation().value_or("") << '\n' << world.history().end());
    CHECK_FALSE(world.violation());
  }
  CHECK(tried > 3);
}
