// Shards of the data set, which the agents' hosts hold and hand on, while keepers, the source, hosts and links fail: no
// sample is missing or doubled, and the parameters are those of agents that have the whole set at hand.

#include "tests/simulation/scenarios.hpp"
#include "tests/simulation/training_world.hpp"

using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

constexpr fault_mix most{.loss = 0.1,
                         .twice = 0.4,
                         .reorder = 0.4,
                         .delay = 50ms,
                         .kills = 4,
                         .crashes = 0.5,
                         .pauses = 0.3,
                         .cuts = 0.3,
                         .haste = 0.05};

// With a sample to a micro-batch there are enough of them for agents to help each other.
void play(simulation& world) {
  using enum troupe::learn::exchange_kind;
  training_shape shape{.agents = static_cast<uint32_t>(1 + world.chance().below(5)), .shards_apart = false};
  shape.exchange = world.chance().below(3) == 0 ? fixed : rotating;
  shape.samples_apart = true;
  if (world.chance().below(3) == 0)
    shape.sizes.micro_batch = 1;
  train_in_a_storm(world, shape);
}

} // namespace

scenario troupe::testing::samples_scenario() {
  return {.most = most, .play = play};
}
