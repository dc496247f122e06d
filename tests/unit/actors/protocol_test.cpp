// The cores of a training run against each other, in one loop without actors: messages arrive in a seeded random
// order, are lost or doubled, and every role dies and comes back: shard holders with their last commit or with nothing.
// What a step sums up is tracked as the multiset of its micro-batches.

#include <catch2/catch_test_macros.hpp>
#include <random>

#include "tests/unit/actors/protocol_world.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

int check_run(uint64_t seed, pace how, protocol_world::mishaps what = {}, uint32_t fan_in = 0) {
  INFO("seed " << seed << " ahead " << how.ahead << (how.in_order ? "" : " asynchronous") << " loss " << what.loss
               << " twice " << what.twice << " death " << what.death << " fan-in " << fan_in);
  auto w = protocol_world{seed, how, what, fan_in};
  auto finished = w.run(60000);
  CHECK(w.violations.empty());
  INFO((finished ? std::string{} : w.standing()));
  CHECK(finished);
  // 3 epochs of 3 steps, every commit at both shards; the last ones may not have arrived when the run ends.
  CHECK(w.commits.size() + how.ahead >= 8);
  for (auto& [at, n] : w.commits)
    CHECK(n <= 2);
  return w.splits;
}

pace pace_of(uint64_t seed) {
  return seed % 3 == 0 ? pace::synchronous() : seed % 3 == 1 ? pace::bounded(1 + seed % 5) : pace::asynchronous(2);
}

protocol_world::mishaps drawn_mishaps(uint64_t seed) {
  auto mix = std::mt19937_64{seed * 977 + 1};
  auto pick = [&](double most) { return mix() % 3 == 0 ? 0.0 : most * static_cast<double>(mix() % 100) / 100; };
  auto loss = pick(0.2);
  auto twice = pick(0.3);
  return {loss, twice, pick(0.01)};
}

} // namespace

TEST_CASE("every micro-batch takes effect exactly once, whatever the order of messages and the pace (I1, I3)") {
  for (uint64_t seed = 0; seed < 600; ++seed)
    check_run(seed, pace_of(seed));
}

TEST_CASE("every micro-batch takes effect exactly once while messages are lost and doubled and every role dies, at "
          "every pace (I1, I3, I8)") {
  for (uint64_t seed = 0; seed < 1400; ++seed)
    check_run(seed, pace_of(seed), drawn_mishaps(seed));
}

TEST_CASE(
  "every micro-batch takes effect exactly once where agents take over what slower ones have not begun (I1, I8)") {
  auto splits = 0;
  for (uint64_t seed = 0; seed < 600; ++seed)
    splits += check_run(seed, pace::synchronous(), drawn_mishaps(seed));
  CHECK(splits > 600);
}

TEST_CASE("every micro-batch takes effect exactly once by way of aggregators, which die as well (I1, I3, I8)") {
  for (uint64_t seed = 0; seed < 1000; ++seed)
    check_run(seed, pace::bounded(seed % 4), drawn_mishaps(seed), 2 + static_cast<uint32_t>(seed % 2));
}
