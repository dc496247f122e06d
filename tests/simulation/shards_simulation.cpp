// Parameter shards: agents, shard holders and a coordinator on hosts of their own, whose messages get lost, doubled and
// overtaken, while agents, their hosts and the links fail.

#include "tests/simulation/scenarios.hpp"
#include "tests/simulation/training_world.hpp"

using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

constexpr fault_mix most{.loss = 0.2,
                         .twice = 0.3,
                         .reorder = 0.3,
                         .delay = 20ms,
                         .kills = 1,
                         .crashes = 0.3,
                         .pauses = 0.3,
                         .cuts = 0.3,
                         .haste = 0.05};

void play(simulation& world) {
  training_shape shape;
  shape.agents = static_cast<uint32_t>(1 + world.chance().below(4));
  shape.shards = static_cast<uint32_t>(1 + world.chance().below(4));
  shape.holders = world.chance().below(8) == 0 ? mortality::mortal : mortality::immortal;
  train_in_a_storm(world, shape);
}

} // namespace

scenario troupe::testing::shards_scenario() {
  return {.most = most, .play = play};
}
