// Hierarchical aggregation: groups of agents push to an aggregator, which lives on the host of the first one and dies
// with it or alone. Agents, aggregators, shard holders, the broker and the links between them fail, contributions are
// not finite; what the shard holders get adds up to the bits of the undisturbed run.

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
                         .kills = 3,
                         .crashes = 0.3,
                         .pauses = 0.3,
                         .cuts = 0.3,
                         .haste = 0.05};

void play(simulation& world) {
  training_shape shape{};
  shape.agents = static_cast<uint32_t>(1 + world.chance().below(5));
  shape.fan_in = static_cast<uint32_t>(2 + world.chance().below(2));
  shape.holders = world.chance().below(4) == 0 ? mortality::mortal : mortality::immortal;
  if (world.chance().below(3) == 0) {
    shape.broker_apart = true;
    shape.broker = mortality::mortal;
  }
  if (world.chance().below(4) == 0) { // ahead of the parameters, with bits that depend on the order of things
    shape.pace = troupe::pace::bounded(1 + world.chance().below(3));
    shape.compare = false;
  }
  if (world.chance().below(4) == 0) {
    using enum troupe::learn::combine_kind;
    shape.combine = std::array<troupe::learn::combine_options, 3>{
      {{median, 0, 2}, {trimmed_mean, 0.25f}, {krum, 1, 2}}}[world.chance().below(3)];
  }
  train_in_a_storm(world, shape);
}

} // namespace

scenario troupe::testing::tree_scenario() {
  return {.most = most, .play = play};
}
