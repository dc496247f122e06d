// S1 and S10: how a supervisor starts.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "world.hpp"

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("S1: children start in list order, and the supervisor is ready after the last") {
  world w{spec_of(GENERATE(one_for_one, one_for_all, rest_for_one), {"a", "b", "c"})};
  w.begin();
  CHECK(w.did() == strings{"start a", "start b", "start c", "ready"});
}

TEST_CASE("S1: a child starts only after the one before it reports ready") {
  world w{spec_of(GENERATE(one_for_one, one_for_all, rest_for_one), {"a", "b"})};
  w.never_ready = {"a"};
  w.begin().pass(30s);
  CHECK(w.did() == strings{"start a"});
  w.become_ready("a");
  CHECK(w.did() == strings{"start b", "ready"});
}

TEST_CASE("S1: where a child fails to start, those already started stop in reverse order and the supervisor fails") {
  auto position = GENERATE(0, 1, 2);
  auto type = GENERATE(permanent, transient, temporary);
  strings ids{"a", "b", "c"};
  auto& failing = ids[static_cast<size_t>(position)];
  world w{spec_of(GENERATE(one_for_one, one_for_all, rest_for_one), ids, type)};
  w.fails_to_start = {failing};
  w.begin();
  strings expected;
  for (int i = 0; i <= position; ++i)
    expected.push_back("start " + ids[static_cast<size_t>(i)]);
  for (int i = position - 1; i >= 0; --i)
    expected.push_back("stop " + ids[static_cast<size_t>(i)]);
  expected.emplace_back("finish escalated");
  CHECK(w.did() == expected);
  CHECK(w.cause.chain ==
        strings{"supervisor s could not start its child " + failing, failing + " #1 ended (error)", "no luck"});
  CHECK(w.state.restarts == 0);
}

TEST_CASE("a child that is not ready within its start limit is stopped, and its start has failed") {
  auto spec = spec_of(one_for_one, {"a", "b"});
  spec.children[1].start = 2s;
  world w{spec};
  w.never_ready = {"b"};
  w.begin().did();
  w.pass(1999ms);
  CHECK(w.did().empty());
  w.pass(1ms);
  CHECK(w.did() == strings{"stop b", "stop a", "finish escalated"});
  CHECK(w.cause.chain.back() == "it was not ready within 2 s");
}

TEST_CASE("a child that dies after it was ready, while its siblings still start, is restarted as at any time") {
  world w{spec_of(one_for_one, {"a", "b"})};
  w.never_ready = {"b"};
  w.begin().die("a");
  CHECK(w.did() == strings{"start a", "start b", "start a"});
  w.become_ready("b");
  CHECK(w.did() == strings{"ready"});
}

TEST_CASE(
  "a group restart during the start stops what is starting and begins again, and the rest of the start follows") {
  world w{spec_of(one_for_all, {"a", "b", "c"})};
  w.never_ready = {"b"};
  w.begin().did();
  w.never_ready.clear();
  w.die("a");
  CHECK(w.did() == strings{"stop b", "start a", "start b", "start c", "ready"});
}

TEST_CASE("a supervisor without children is ready at once, and a template is not started itself") {
  world empty{spec_of(rest_for_one, {})};
  CHECK(empty.begin().did() == strings{"ready"});
  world pattern{spec_of(simple_one_for_one, {"w"})};
  CHECK(pattern.begin().did() == strings{"ready"});
}

TEST_CASE("S10 T2: the next life of a supervisor has its static children again, all with higher incarnations") {
  world w{spec_of(one_for_one, {"a", "b"}), incarnation{7}};
  w.begin();
  CHECK(w.list() == strings{"a running #8", "b running #8"});
}

TEST_CASE("T2: what an older incarnation reports late changes nothing and is counted") {
  world w{spec_of(one_for_one, {"a"})};
  w.begin().die("a").did();
  w.tell(event::child_ended{"a", incarnation{1}, {exit_kind::kill, {}}});
  w.tell(event::child_ready{"a", incarnation{1}});
  w.tell(event::child_ended{"nobody", incarnation{1}, {}});
  CHECK(w.did().empty());
  CHECK(w.list() == strings{"a running #2"});
  CHECK(w.state.late_notices == 3);
}

TEST_CASE("T2: an id that was dropped and comes back gets a higher incarnation") {
  world w{spec_of(one_for_one, {})};
  w.begin();
  w.start_child({.id = "a", .restart = temporary});
  w.die("a");
  CHECK(w.list().empty());
  CHECK(w.start_child({.id = "a"}).number == incarnation{2});
}
