#include "tests/unit/toy/step_tally.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/init_global_meta_objects.hpp>
#include <caf/scoped_actor.hpp>
#include <catch2/catch_test_macros.hpp>

#include "messages/caf.hpp"

using namespace troupe;
using namespace troupe::toy;
using namespace std::chrono_literals;

TEST_CASE("a step is done when each of its micro-batches has been counted") {
  tally_core core(2);
  core.on_finished({step{0}, micro_batch{1}});
  CHECK(core.now() == tally{.open = step{0}, .finished = 1, .dropped = 0});
  core.on_finished({step{0}, micro_batch{0}});
  CHECK(core.now() == tally{.open = step{1}, .finished = 0, .dropped = 0});
}

TEST_CASE("what is doubled, old, early or not part of a step is dropped and counted") {
  tally_core core(2);
  core.on_finished({step{0}, micro_batch{0}});
  core.on_finished({step{0}, micro_batch{0}}); // doubled
  core.on_finished({step{1}, micro_batch{0}}); // early
  core.on_finished({step{0}, micro_batch{2}}); // no such part
  CHECK(core.now() == tally{.open = step{0}, .finished = 1, .dropped = 3});
  core.on_finished({step{0}, micro_batch{1}});
  core.on_finished({step{0}, micro_batch{1}}); // old
  CHECK(core.now() == tally{.open = step{1}, .finished = 0, .dropped = 4});
}

TEST_CASE("the actor counts what it is sent and answers who asks") {
  register_messages();
  caf::init_global_meta_objects<caf::id_block::toy>();
  caf::actor_system_config config;
  caf::actor_system system(config);
  const auto counter = system.spawn<step_tally>(step_tally::config{.micro_batches_per_step = 2});
  const caf::scoped_actor self(system);
  troupe::send(self, counter, micro_batch_finished{step{0}, micro_batch{0}});
  request(self, counter, 10s, ask_tally{})
    .receive([](const tally& answer) { CHECK(answer == tally{.open = step{0}, .finished = 1, .dropped = 0}); },
             [](const caf::error& error) { FAIL(to_string(error)); });
}
