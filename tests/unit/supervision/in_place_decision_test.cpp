// What a supervisor decides when the state of a child failed and its actor is still there (T3).

#include <catch2/catch_test_macros.hpp>

#include "world.hpp"

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("T3: a state that fails is replaced in its actor, as the next incarnation, and nobody else is touched") {
  world w{spec_of(one_for_one, {"a", "b"})};
  w.begin().did();
  w.fail_state("a");
  CHECK(w.did() == strings{"replace a"});
  CHECK(w.list() == strings{"a running #2", "b running #1"});
  REQUIRE(w.reports.size() == 1);
  CHECK(w.reports[0] == supervision_report{"s", "a", {1}, {exit_kind::exception, {"bad luck"}}, decision::replace});
  CHECK(to_string(w.reports[0]) == "a #1 of s failed: bad luck; s replaces its state");
}

TEST_CASE("T3 S4: restarts in place count as any others, and one too many ends the supervisor") {
  world w{spec_of(one_for_one, {"a", "b"}, permanent, at_most(2, 5s))};
  w.begin().did();
  w.fail_state("a").die("b").did();
  CHECK(w.state.restarts == 2);
  w.fail_state("a");
  CHECK(w.did() == strings{"stop b", "stop a", "finish escalated"});
  CHECK(w.cause.chain.at(0) == "supervisor s gave up: a needed one restart more than the 2 granted within 5 s");
  CHECK(w.cause.chain.at(1) == "a #2 ended (exception)");
  CHECK(w.cause.chain.at(2) == "bad luck");
}

TEST_CASE("T3 S4: an entry that is older than the period is forgotten") {
  world w{spec_of(one_for_one, {"a"}, permanent, at_most(1, 5s))};
  w.begin().did();
  w.fail_state("a").pass(5s + 1ns).fail_state("a");
  CHECK(w.did() == strings{"replace a", "replace a"});
}

TEST_CASE("T3: in a group a failed state ends its actor, and the group restarts as after any end") {
  auto play = [](restart_strategy strategy) {
    world w{spec_of(strategy, {"a", "b", "c"})};
    w.begin().did();
    w.fail_state("b");
    return w.did();
  };
  CHECK(play(one_for_all) == strings{"end b", "stop c", "stop a", "start a", "start b", "start c"});
  CHECK(play(rest_for_one) == strings{"end b", "stop c", "start b", "start c"});
}

TEST_CASE("T3 S3: a child that is not to be restarted is not restarted in place either") {
  world w{spec_of(one_for_one, {"a"}, temporary)};
  w.begin().did();
  w.fail_state("a");
  CHECK(w.did() == strings{"end a"});
  CHECK(w.list().empty());
  REQUIRE(w.reports.size() == 1);
  CHECK(w.reports[0].what == decision::drop);
  CHECK(w.reports[0].cause.chain == strings{"bad luck"});

  world t{spec_of(one_for_one, {"a"}, transient)};
  t.begin().did();
  t.fail_state("a");
  CHECK(t.did() == strings{"replace a"});
}

TEST_CASE("T3 T1: the new state waits for its back-off; a stop, an end or a call meanwhile goes first") {
  auto spec = spec_of(one_for_one, {"a"});
  spec.backoff = {.min = 100ms, .max = 10s, .jitter = 0, .quiet = 1min};
  world w{spec};
  w.begin().did();
  w.fail_state("a");
  CHECK(w.did().empty());
  CHECK(w.list() == strings{"a running #1"});
  w.pass(100ms);
  CHECK(w.did() == strings{"replace a"});
  w.fail_state("a").pass(199ms);
  CHECK(w.did().empty());
  w.pass(1ms);
  CHECK(w.did() == strings{"replace a"});

  w.fail_state("a").die("a"); // it is killed while it waits
  CHECK(w.did().empty());
  CHECK(w.list() == strings{"a restarting #3"});
  w.pass(10s);
  CHECK(w.did() == strings{"start a"});

  w.fail_state("a");
  CHECK_FALSE(w.terminate("a").error);
  CHECK(w.did() == strings{"stop a"});
  w.pass(1min);
  CHECK(w.did().empty());
}

TEST_CASE("T2 I5: what is told twice, late, or about nobody brings about no decision and is counted") {
  world w{spec_of(one_for_one, {"a"})};
  w.begin().did();
  w.fail_state("a").did();
  w.tell(event::state_failed{"a", {1}, {exit_kind::error, {}}});
  CHECK(w.did() == strings{"replace a again"}); // the word was lost or is under way; no other decision
  w.tell(event::state_failed{"x", {1}, {exit_kind::error, {}}});
  CHECK(w.did().empty());
  CHECK(w.state.late_notices == 2);
  CHECK(w.reports.size() == 1);

  auto spec = spec_of(one_for_one, {"a"});
  spec.backoff.min = 1s;
  world waiting{spec};
  waiting.begin().did();
  waiting.fail_state("a").fail_state("a");
  CHECK(waiting.state.restarts == 1);
  CHECK(waiting.state.late_notices == 0); // a shell that reminds is not late
}

TEST_CASE("T3: a failure while the child is being stopped changes nothing about the stop") {
  world w{spec_of(one_for_one, {"a"})};
  w.ignores_stop = {"a"};
  w.begin().did();
  w.stop().did();
  w.fail_state("a");
  CHECK(w.did().empty());
  w.pass(5s);
  CHECK(w.did() == strings{"kill a", "finish shutdown"});
  CHECK(w.state.restarts == 0);
}
