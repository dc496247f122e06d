// Gossip: agents with a gossip peer each, whose replicas differ, and no server. Agents, peers, their hosts and the
// links between them fail; the step begins anew with other partners, each step takes effect once at all of them, and
// where all meet every replica has the same bits.

#include "tests/simulation/scenarios.hpp"
#include "tests/simulation/training_world.hpp"

using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

constexpr fault_mix most{.loss = 0.1,
                         .twice = 0.3,
                         .reorder = 0.3,
                         .delay = 20ms,
                         .kills = 2,
                         .crashes = 0.3,
                         .pauses = 0.3,
                         .cuts = 0.3,
                         .haste = 0.05};

void play(simulation& world) {
  training_shape shape{.shards = 1, .shards_apart = false, .gossip = true, .compare = false};
  shape.agents = static_cast<uint32_t>(1 + world.chance().below(5));
  train_in_a_storm(world, shape);
}

} // namespace

scenario troupe::testing::gossip_scenario() {
  return {.most = most, .play = play};
}
