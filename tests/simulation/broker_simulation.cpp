// The data broker on a host of its own: it dies and is cut off, agents die while they hold leases or take over what
// others have not begun, some data sets are cut into shards, and every sample still takes effect once.

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
  const auto shapes = shapes_of_the_broker();
  train_in_a_storm(world, shapes[world.chance().below(shapes.size())]);
}

} // namespace

// With a sample to a micro-batch there are enough of them for agents to help each other.
std::vector<training_shape> troupe::testing::shapes_of_the_broker() {
  using enum troupe::learn::exchange_kind;
  std::vector<training_shape> result;
  for (uint32_t agents = 2; agents < 6; ++agents)
    for (const size_t micro_batch : {1, 4, 4})
      for (const auto exchange : {global, fixed, rotating}) {
        training_shape shape{.agents = agents,
                             .shards = 1,
                             .shards_apart = false,
                             .broker_apart = true,
                             .broker = mortality::mortal,
                             .exchange = exchange};
        shape.sizes.micro_batch = micro_batch;
        result.push_back(shape);
      }
  return result;
}

scenario troupe::testing::broker_scenario() {
  return {.most = most, .play = play};
}
