// S8: the dynamic API and its error values.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "world.hpp"

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("S8: a child can be started, terminated with its spec kept, restarted, and deleted") {
  world w{spec_of(GENERATE(one_for_one, one_for_all, rest_for_one), {"a"})};
  w.begin().did();
  auto r = w.start_child({.id = "b"});
  CHECK_FALSE(r.error);
  CHECK(r.child == "b");
  CHECK(r.number == incarnation{1});
  CHECK_FALSE(w.terminate("b").error);
  CHECK(w.list() == strings{"a running #1", "b stopped #1"});
  CHECK(w.restart("b").number == incarnation{2});
  CHECK_FALSE(w.terminate("b").error);
  CHECK_FALSE(w.remove("b").error);
  CHECK(w.list() == strings{"a running #1"});
  CHECK(w.did() == strings{"start b", "stop b", "start b", "stop b"});
  CHECK(w.state.restarts == 0); // none of this counts
}

TEST_CASE("S8: each illegal state has an error value of its own and changes nothing") {
  world w{spec_of(one_for_one, {"a", "b"})};
  w.begin();
  w.terminate("b");
  w.did();
  auto before = w.list();
  CHECK(w.terminate("x").error == call_error::not_found);
  CHECK(w.restart("x").error == call_error::not_found);
  CHECK(w.remove("x").error == call_error::not_found);
  CHECK(w.start_child({.id = "a"}).error == call_error::already_started);
  CHECK(w.start_child({.id = "b"}).error == call_error::already_present);
  CHECK(w.restart("a").error == call_error::running);
  CHECK(w.remove("a").error == call_error::running);
  CHECK(w.start_child({.id = ""}).error == call_error::bad_spec);
  CHECK(w.start_child({.id = "p", .significant = true}).error == call_error::bad_spec);
  CHECK(w.start_from_template().error == call_error::wrong_strategy);
  CHECK_FALSE(w.terminate("b").error); // stopped already: as wished
  CHECK(w.list() == before);
  CHECK(w.did().empty());
}

TEST_CASE("S8: a child of a template gets an id of its own and leaves nothing behind when it ends") {
  world w{spec_of(simple_one_for_one, {"session"}, transient)};
  w.begin();
  CHECK(w.start_from_template().child == "session/0");
  CHECK(w.start_from_template().child == "session/1");
  CHECK(w.start_from_template().child == "session/2");
  w.die("session/0", exit_kind::normal);
  CHECK_FALSE(w.terminate("session/1").error);
  CHECK(w.list() == strings{"session/2 running #1"});
  CHECK(w.start_from_template().child == "session/3");
  CHECK(w.restart("session/2").error == call_error::wrong_strategy);
  CHECK(w.remove("session/2").error == call_error::wrong_strategy);
  CHECK(w.start_child({.id = "x"}).error == call_error::wrong_strategy);
  CHECK(count_children(w.state) == child_counts{.specs = 1, .active = 2, .supervisors = 0, .workers = 2});
}

TEST_CASE("S8: terminating a temporary child drops its spec") {
  world w{spec_of(one_for_one, {})};
  w.begin();
  w.start_child({.id = "a", .restart = temporary});
  CHECK_FALSE(w.terminate("a").error);
  CHECK(w.remove("a").error == call_error::not_found);
}

TEST_CASE("S8: a child that cannot be started is refused with the reason; an added one is gone again") {
  world w{spec_of(GENERATE(one_for_one, one_for_all, rest_for_one), {"a"})};
  w.begin();
  w.fails_to_start = {"b"};
  auto r = w.start_child({.id = "b"});
  CHECK(r.error == call_error::start_failed);
  CHECK(r.sentence == "no luck");
  CHECK(w.list() == strings{"a running #1"});
  CHECK(w.state.restarts == 0);

  w.fails_to_start = {"a"};
  w.terminate("a");
  CHECK(w.restart("a").error == call_error::start_failed);
  CHECK(w.list() == strings{"a stopped #2"});
}

TEST_CASE("S8: a start is answered when the child is ready, not before") {
  world w{spec_of(one_for_one, {})};
  w.begin();
  w.never_ready = {"b"};
  w.start_child({.id = "b"});
  CHECK(w.answers.empty());
  w.become_ready("b");
  CHECK(w.answers.at(1).number == incarnation{1});
}

TEST_CASE("S8: a terminate is answered when the child has ended, and whoever waits for its start learns of it") {
  world w{spec_of(one_for_one, {})};
  w.begin();
  w.never_ready = w.ignores_stop = {"b"};
  w.start_child({.id = "b"});
  w.terminate("b");
  CHECK(w.answers.at(1).error == call_error::terminated);
  CHECK_FALSE(w.answers.contains(2));
  w.terminate("b"); // twice: both are answered
  w.die("b", exit_kind::shutdown);
  CHECK_FALSE(w.answers.at(2).error);
  CHECK_FALSE(w.answers.at(3).error);
}

TEST_CASE("S8: a child terminated in the middle of a group restart stays stopped") {
  world w{spec_of(one_for_all, {"a", "b", "c"})};
  w.begin().did();
  w.ignores_stop = {"c"};
  w.die("a");
  w.terminate("b");
  w.die("c", exit_kind::shutdown);
  CHECK(w.did() == strings{"stop c", "stop b", "start a", "start c"});
  CHECK(w.list()[1] == "b stopped #1");
}

TEST_CASE("S8: a group restart waits for a child that is still being terminated") {
  world w{spec_of(GENERATE(one_for_all, rest_for_one), {"a", "b"})};
  w.begin();
  w.ignores_stop = {"b"};
  w.terminate("b");
  w.did();
  w.die("a");
  CHECK(w.did().empty());
  w.die("b", exit_kind::shutdown);
  CHECK(w.did() == strings{"start a"});
  CHECK(w.list()[1] == "b stopped #1");
}

TEST_CASE("S8: a supervisor that is ending refuses, and what still waited for a start is answered") {
  world w{spec_of(one_for_one, {"a"})};
  w.begin();
  w.never_ready = {"b"};
  w.start_child({.id = "b"});
  w.ignores_stop = {"b"};
  w.stop();
  CHECK(w.answers.at(1).error == call_error::stopping);
  CHECK(w.start_child({.id = "c"}).error == call_error::stopping);
  CHECK(w.terminate("a").error == call_error::stopping);
  w.die("b");
  CHECK(w.restart("a").error == call_error::stopping);
  CHECK(w.start_from_template().error == call_error::stopping);
}
