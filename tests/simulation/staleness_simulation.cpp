// The staleness dial: agents that run ahead of their parameters, by a bounded number of steps or asynchronously, while
// agents, shard holders and links fail; some take local steps, some compress what they send, and some sums are
// robust. No gradient is older than
// the bound, every step takes effect once, and all shards apply the same steps in the same order.

#include <array>

#include "tests/simulation/scenarios.hpp"
#include "tests/simulation/training_world.hpp"

using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

constexpr fault_mix most{.loss = 0.15,
                         .twice = 0.3,
                         .reorder = 0.3,
                         .delay = 20ms,
                         .kills = 2,
                         .crashes = 0.3,
                         .pauses = 0.5,
                         .cuts = 0.3,
                         .haste = 0.05};

void play(simulation& world) {
  training_shape shape{.epochs = 6, .compare = false};
  shape.agents = static_cast<uint32_t>(1 + world.chance().below(4));
  shape.shards = static_cast<uint32_t>(1 + world.chance().below(3));
  shape.holders = world.chance().below(4) == 0 ? mortality::mortal : mortality::immortal;
  shape.pace = world.chance().below(3) == 0 ? troupe::pace::asynchronous(shape.agents)
                                            : troupe::pace::bounded(1 + world.chance().below(5));
  if (world.chance().below(3) == 0)
    shape.local_steps = 2;
  if (world.chance().below(2) == 0)
    shape.compression = static_cast<troupe::learn::compression_kind>(world.chance().below(5));
  if (shape.pace.in_order && world.chance().below(3) == 0) {
    using enum troupe::learn::combine_kind;
    shape.combine = std::array<troupe::learn::combine_options, 3>{
      {{median}, {trimmed_mean, 0.25f}, {krum, 1}}}[world.chance().below(3)];
  }
  train_in_a_storm(world, shape);
}

} // namespace

scenario troupe::testing::staleness_scenario() {
  return {.most = most, .play = play};
}
