// Shard holders beside the agents: a host that crashes takes an agent and a part of the parameters with it. The run
// goes on where the part's replica is, or goes back where there is none, and ends with the parameters of the
// undisturbed run; a holder that fails on a host that stays comes back with its last commit.

#include <algorithm>

#include "tests/simulation/scenarios.hpp"
#include "tests/simulation/training_world.hpp"

using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

constexpr fault_mix most{.loss = 0.2,
                         .twice = 0.3,
                         .reorder = 0.3,
                         .delay = 20ms,
                         .kills = 2,
                         .crashes = 0.3,
                         .pauses = 0.3,
                         .cuts = 0.3,
                         .haste = 0.05};

void play(simulation& world) {
  training_shape shape{.sharded = true};
  shape.agents = static_cast<uint32_t>(1 + world.chance().below(5));
  shape.shards =
    static_cast<uint32_t>(1 + world.chance().below(std::min(shape.agents, 4u))); // fewer: others join later
  shape.replicated = world.chance().below(2) == 0;
  shape.holders = mortality::mortal;
  if (world.chance().below(4) == 0) {
    shape.pace = troupe::pace::bounded(1 + world.chance().below(3));
    shape.compare = false;
  }
  train_in_a_storm(world, shape);
}

} // namespace

scenario troupe::testing::sharded_scenario() {
  return {.most = most, .play = play};
}
