// S6: how children stop, and S1: how a supervisor stops.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "world.hpp"

using namespace troupe;
using namespace troupe::testing;

TEST_CASE(
  "S1: stop runs in reverse start order, one after another, and the supervisor ends with the cause it was given") {
  world w{spec_of(GENERATE(one_for_one, one_for_all, rest_for_one), {"a", "b", "c"})};
  w.begin().did();
  w.ignores_stop = {"b"};
  w.tell(event::stop{{exit_kind::error, {"enough"}}});
  CHECK(w.did() == strings{"stop c", "stop b"});
  w.die("b", exit_kind::shutdown);
  CHECK(w.did() == strings{"stop a", "finish error"});
  CHECK(w.cause.chain == strings{"enough"});
  CHECK(w.reports.empty());
}

TEST_CASE("S2: the children of a template stop in parallel") {
  world w{spec_of(simple_one_for_one, {"w"})};
  w.begin();
  w.start_from_template();
  w.start_from_template();
  w.did();
  w.ignores_stop = {"w/0", "w/1"};
  w.stop();
  CHECK(w.did() == strings{"stop w/0", "stop w/1"});
  w.die("w/1", exit_kind::shutdown).die("w/0", exit_kind::shutdown);
  CHECK(w.did() == strings{"finish shutdown"});
}

TEST_CASE("S6: a child that does not end within its shutdown time is killed, and that is reported") {
  auto spec = spec_of(one_for_one, {"a"});
  spec.children[0].shutdown = 300ms;
  world w{spec};
  w.begin().did();
  w.ignores_stop = {"a"};
  w.stop().pass(299ms);
  CHECK(w.did() == strings{"stop a"});
  w.pass(1ms);
  CHECK(w.did() == strings{"kill a", "finish shutdown"});
  REQUIRE(w.reports.size() == 1);
  CHECK(to_string(w.reports[0]) ==
        "a #1 of s ended: it did not end within 300 ms of being asked and was killed; s was about to stop it");
}

TEST_CASE("S6: a shutdown time of 0 kills without asking, and a worker has 5 s unless told otherwise") {
  auto spec = spec_of(one_for_one, {"a", "b"});
  spec.children[0].shutdown = 0s;
  world w{spec};
  w.begin().did();
  w.ignores_stop = {"b"};
  w.stop();
  CHECK(w.timers() == std::vector<nanoseconds>{5s});
  w.pass(5s);
  CHECK(w.did() == strings{"stop b", "kill b", "kill a", "finish shutdown"});
}

TEST_CASE("S6: a supervisor as a child has all the time it needs") {
  auto spec = spec_of(one_for_one, {"inner"});
  spec.children[0].kind = child_kind::supervisor;
  world w{spec};
  w.begin().did();
  w.ignores_stop = {"inner"};
  w.stop().pass(24h);
  CHECK(w.did() == strings{"stop inner"});
  CHECK(w.timers().empty());
}

TEST_CASE(
  "S6: a child that a kill does not end is reported as stuck, and the supervisor passes that on to its process") {
  auto spec = spec_of(one_for_all, {"a", "b"});
  world w{spec};
  w.begin().did();
  w.ignores_stop = w.survives_kill = {"b"};
  w.die("a").pass(5s);
  CHECK(w.did() == strings{"stop b", "kill b"});
  w.pass(5s); // the grace after the kill
  CHECK(w.did() == strings{"finish stuck"});
  CHECK(w.cause.kind == exit_kind::stuck);
  CHECK(w.reports.back().what == decision::escalate);
}

TEST_CASE("S6: a supervisor whose child ended as stuck does not restart it but passes it on, whatever its limit") {
  world w{spec_of(one_for_one, {"inner", "x"})};
  w.begin().did();
  w.die("inner", exit_kind::stuck, "x #1 did not end");
  CHECK(w.did() == strings{"stop x", "finish stuck"});
  CHECK(w.state.restarts == 0);
}

TEST_CASE("children that end by themselves while the supervisor stops are not restarted, and it still ends") {
  auto kind = GENERATE(exit_kind::normal, exit_kind::error, exit_kind::kill, exit_kind::connection_lost);
  world w{spec_of(GENERATE(one_for_one, one_for_all, rest_for_one, simple_one_for_one), {"w"})};
  w.begin();
  if (w.state.pattern) {
    w.start_from_template();
    w.start_from_template();
  } else {
    w.start_child({.id = "w/0"});
    w.start_child({.id = "w/1"});
  }
  w.did();
  w.ignores_stop = {"w", "w/0", "w/1"};
  w.stop().die("w/0", kind).die("w/1", kind);
  if (!w.state.pattern)
    w.die("w", kind);
  auto did = w.did();
  CHECK(std::none_of(did.begin(), did.end(), [](const auto& s) { return s.starts_with("start"); }));
  CHECK(did.back() == "finish shutdown");
  CHECK(w.state.restarts == 0);
}

TEST_CASE("a stop during the start stops what has been started, and nothing more is started") {
  world w{spec_of(rest_for_one, {"a", "b", "c"})};
  w.never_ready = {"b"};
  w.begin().stop();
  CHECK(w.did() == strings{"start a", "start b", "stop b", "stop a", "finish shutdown"});
}

TEST_CASE("a stop during a back-off ends it") {
  auto spec = spec_of(GENERATE(one_for_one, one_for_all, rest_for_one), {"a", "b"});
  spec.backoff = {.min = 10s};
  world w{spec};
  w.begin().die("b").did();
  w.stop().pass(1h);
  auto did = w.did();
  CHECK(did.back() == "finish shutdown");
  CHECK(w.timers().empty());
}

TEST_CASE("a stop before the start ends the supervisor at once") {
  world w{spec_of(one_for_one, {"a"})};
  w.stop().begin();
  CHECK(w.did() == strings{"finish shutdown"});
}

TEST_CASE("S6: a bystander of a group restart that ends as stuck before its turn to stop does not keep its supervisor "
          "from ending") {
  auto spec = spec_of(one_for_all, {"inner", "slow", "x"});
  world w{spec};
  w.ignores_stop = {"slow"};
  w.begin().did();
  w.die("x").did(); // slow is asked to stop, inner comes after it
  w.die("inner", exit_kind::stuck, "y #1 did not end").did();
  w.ignores_stop.clear();
  w.pass(5s);
  CHECK(w.did() == strings{"kill slow", "finish stuck"});
}
