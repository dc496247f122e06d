// Parameter shards on a hash ring of hosts that come, go and crash: each shard has a replica on another host, and the
// next incarnation of its holder starts there.

#include "tests/simulation/scenarios.hpp"
#include "tests/simulation/training_world.hpp"

using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

constexpr fault_mix most{.loss = 0.1,
                         .twice = 0.2,
                         .reorder = 0.2,
                         .delay = 10ms,
                         .kills = 0.5,
                         .crashes = 0.2,
                         .pauses = 0.2,
                         .cuts = 0.2,
                         .haste = 0.02};

void play(simulation& world) {
  training_shape shape;
  shape.agents = static_cast<uint32_t>(1 + world.chance().below(3));
  shape.shards = static_cast<uint32_t>(1 + world.chance().below(4));
  shape.shard_hosts = static_cast<uint32_t>(2 + world.chance().below(3));
  shape.holders = mortality::mortal;
  train_in_a_storm(world, shape);
}

} // namespace

scenario troupe::testing::replicas_scenario() {
  return {.most = most, .play = play};
}
