// Ring all-reduce: agents with a ring peer each, and no server. Agents, peers, their hosts and the links between them
// fail; the ring is formed again inside the step, whichever way it reduces, every peer has the same bits, and the
// parameters stay those of the undisturbed run: bit by bit where the sum follows the tree over micro-batches, else but
// for the order of summation.

#include <array>

#include "tests/simulation/scenarios.hpp"
#include "tests/simulation/training_world.hpp"

using namespace troupe;
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
  training_shape shape{.shards = 1, .shards_apart = false, .ring = true};
  shape.agents = static_cast<uint32_t>(1 + world.chance().below(5));
  using enum all_reduce_schedule;
  const auto way = world.chance().below(5);
  shape.reproducible = way == 4;
  shape.reduce = std::array{ring, doubling, halving, pairwise, pairwise}[way];
  train_in_a_storm(world, shape);
}

} // namespace

scenario troupe::testing::ring_scenario() {
  return {.most = most, .play = play};
}
