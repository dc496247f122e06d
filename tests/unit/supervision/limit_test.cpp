// S4: the limit of restarts.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "world.hpp"

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("S4: at most n restarts within the period; one more ends the supervisor") {
  auto n = GENERATE(0U, 1U, 2U, 5U);
  world w{spec_of(one_for_one, {"a", "b"}, permanent, at_most(n, 10s))};
  w.begin();
  for (uint32_t i = 0; i < n; ++i) {
    w.die(i % 2 == 0 ? "a" : "b"); // counted per supervisor, not per child
    REQUIRE_FALSE(w.finished());
  }
  w.die("a");
  CHECK(w.finished());
  CHECK(w.cause.kind == exit_kind::escalated);
  CHECK(w.state.restarts == n);
}

TEST_CASE("S4: a restart exactly one period old still counts, and one older does not") {
  world exact{spec_of(one_for_one, {"a"}, permanent, at_most(1, 10s))};
  exact.begin().die("a").pass(10s).die("a");
  CHECK(exact.finished());

  world older{spec_of(one_for_one, {"a"}, permanent, at_most(1, 10s))};
  older.begin().die("a").pass(10s + 1ns).die("a");
  CHECK_FALSE(older.finished());
}

TEST_CASE("S4: the window slides: n restarts in each period can go on for ever") {
  world w{spec_of(one_for_one, {"a"}, permanent, at_most(2, 10s))};
  w.begin();
  for (int i = 0; i < 1000; ++i)
    w.die("a").pass(5s + 1ns);
  CHECK_FALSE(w.finished());
  CHECK(w.state.window.count() <= 3);
}

TEST_CASE("S4: failed attempts count") {
  world w{spec_of(one_for_one, {"a"}, permanent, at_most(3, 10s))};
  w.begin();
  w.fails_to_start = {"a"};
  w.die("a").pass(0s).pass(0s);
  CHECK(w.finished());
  w.did();
  CHECK(w.state.restarts == 3);
  CHECK(w.cause.chain[0] == "supervisor s gave up: a needed one restart more than the 3 granted within 10 s");
}

TEST_CASE("S4: where restarts are counted for each child, none is used up by the others") {
  auto strategy = GENERATE(one_for_one, simple_one_for_one);
  world w{spec_of(strategy, {"a"}, permanent, at_most_of_each(2, 10s))};
  w.begin();
  const auto child = [&](int i) {
    return strategy == simple_one_for_one ? "a/" + std::to_string(i) : "a" + std::to_string(i);
  };
  for (int i = 0; i < 8; ++i)
    strategy == simple_one_for_one ? w.start_from_template() : w.start_child({.id = child(i)});
  for (int i = 0; i < 16; ++i)
    w.die(child(i % 8));
  REQUIRE_FALSE(w.finished());
  CHECK(w.state.restarts == 16);
  w.die(child(5));
  CHECK(w.finished());
  CHECK(w.cause.chain[0] ==
        "supervisor s gave up: " + child(5) + " needed one restart more than the 2 granted within 10 s");
}

TEST_CASE("S4: a child that is added again begins with no restarts") {
  world w{spec_of(one_for_one, {"a"}, permanent, at_most_of_each(1, 10s))};
  w.begin().die("a");
  w.terminate("a");
  w.remove("a");
  w.start_child({.id = "a"});
  w.die("a");
  CHECK_FALSE(w.finished());
  w.die("a");
  CHECK(w.finished());
}

TEST_CASE("S4: the default is one restart in 5 s") {
  supervisor_spec spec{.name = "s"};
  CHECK(spec.limit.restarts == 1);
  CHECK(spec.limit.period == 5s);
}
