// S5: restarts that fail.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "world.hpp"

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("S5: in one_for_all a child already back is stopped again when a later one fails") {
  world w{spec_of(one_for_all, {"a", "b", "c"})};
  w.begin().did();
  w.fails_to_start = {"b"};
  w.die("c");
  CHECK(w.did() == strings{"stop b", "stop a", "start a", "start b", "stop a"});
  CHECK(w.list() == strings{"a waiting #2", "b restarting #2", "c restarting #1"});
  w.pass(0s);
  CHECK(w.did() == strings{"start a", "start b", "stop a"});
  w.fails_to_start.clear();
  w.pass(0s);
  CHECK(w.did() == strings{"start a", "start b", "start c"});
  CHECK(w.state.restarts == 3);
}

TEST_CASE("S5: in rest_for_one only the failed child and those after it are retried") {
  world w{spec_of(rest_for_one, {"a", "b", "c", "d"})};
  w.begin().did();
  w.fails_to_start = {"c"};
  w.die("b");
  CHECK(w.did() == strings{"stop d", "stop c", "start b", "start c"});
  w.fails_to_start.clear();
  w.pass(0s);
  CHECK(w.did() == strings{"start c", "start d"});
}

TEST_CASE("S5: between attempts list, count, remove and stop are answered, and the child shows as restarting") {
  world w{spec_of(GENERATE(one_for_one, one_for_all, rest_for_one), {"a"})};
  w.begin();
  w.fails_to_start = {"a"};
  w.die("a");
  CHECK(w.list() == strings{"a restarting #2"});
  CHECK(count_children(w.state) == child_counts{.specs = 1, .active = 0, .supervisors = 0, .workers = 1});
  CHECK(w.restart("a").error == call_error::restarting);
  CHECK(w.remove("a").error == call_error::restarting);
  w.did();

  SECTION("terminate") {
    CHECK_FALSE(w.terminate("a").error);
    CHECK_FALSE(w.remove("a").error);
    w.pass(1h);
    CHECK(w.did().empty());
  }
  SECTION("stop") {
    w.stop().pass(1h);
    CHECK(w.did() == strings{"finish shutdown"});
  }
}

TEST_CASE("S5: a restart that hangs is given up after its start limit, counts, and is tried again") {
  auto spec = spec_of(rest_for_one, {"a", "b"});
  spec.children[0].start = 2s;
  world w{spec};
  w.begin().did();
  w.never_ready = {"a"};
  w.die("a").pass(2s);
  CHECK(w.did() == strings{"stop b", "start a", "stop a"});
  CHECK(w.state.restarts == 2);
  w.never_ready.clear();
  w.pass(0s);
  CHECK(w.did() == strings{"start a", "start b"});
  CHECK(w.reports.back().what == decision::retry);
  CHECK(w.reports.back().cause.chain == strings{"it was not ready within 2 s"});
}

TEST_CASE("a death among those already back widens a group restart that is still under way") {
  world w{spec_of(rest_for_one, {"a", "b", "c"})};
  w.begin().did();
  w.never_ready = {"c"};
  w.die("b");
  CHECK(w.did() == strings{"stop c", "start b", "start c"});
  w.never_ready.clear();
  w.die("a");
  CHECK(w.did() == strings{"stop c", "stop b", "start a", "start b", "start c"});
  CHECK(w.state.restarts == 2);
}

TEST_CASE("a group restart starts the stopped ones too: all start") {
  world w{spec_of(one_for_all, {"a", "b", "c"}, transient)};
  w.begin().die("b", exit_kind::normal).did();
  CHECK(w.list()[1] == "b stopped #1");
  w.die("a");
  CHECK(w.did() == strings{"stop c", "start a", "start b", "start c"});
}
