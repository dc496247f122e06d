// The data broker on a host of its own: it dies and is cut off, agents die while they hold leases, and every sample
// still takes effect once.

#include "tests/simulation/scenarios.hpp"
#include "tests/simulation/training_world.hpp"

using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

constexpr fault_mix most{.loss = 0.1,
                         .twice = 0.5,
                         .reorder = 0.5,
                         .delay = 50ms,
                         .kills = 4,
                         .crashes = 0.5,
                         .pauses = 0.3,
                         .cuts = 0.3,
                         .haste = 0.05};

void play(simulation& world) {
  training_shape shape{.shards = 1, .shards_apart = false, .broker_apart = true, .broker = mortality::mortal};
  shape.agents = static_cast<uint32_t>(2 + world.chance().below(4));
  train_in_a_storm(world, shape);
}

} // namespace

scenario troupe::testing::broker_scenario() {
  return {.most = most, .play = play};
}
