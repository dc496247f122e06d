// Starts that fail, and starts that take their time, through real actors in virtual time.

#include <caf/typed_event_based_actor.hpp>

#include "tests/topology/stage.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

TEST_CASE("S1: a start that fails deep in the tree stops what was started, and the root says which child and why") {
  stage s;
  s.play(supervise("root")
           .child(s.child("a"))
           .child(supervise("inner").child(s.child("b")).child(startable{"broken", [](incarnation) -> started {
                                                                           return failure{"there is no data"};
                                                                         }})));
  CHECK(s.seen() == strings{"start a", "start b", "end b", "end a", "end of the tree"});
  CHECK_FALSE(s.end->was_ready);
  CHECK(s.end->cause.chain == strings{"supervisor root could not start its child inner", "inner #1 ended (escalated)",
                                      "supervisor root/inner could not start its child broken",
                                      "broken #1 ended (error)", "there is no data"});
}

TEST_CASE("an exception in a start function is a failed start") {
  stage s;
  s.play(supervise("root").child(
    startable{"broken", [](incarnation) -> started { throw std::runtime_error("no such device"); }}));
  CHECK(s.end->cause.chain.back() == "its start function threw: no such device");
}

TEST_CASE(
  "a start function may return any handle, an expected one, or a failure, and may ask for the incarnation alone") {
  using echo = caf::typed_actor<caf::result<int>(int)>;
  stage s;
  std::vector<incarnation> numbers;
  s.play(supervise("root")
           .child(startable{"typed",
                            [&](const start_context& c) {
                              return c.system.spawn([]() -> echo::behavior_type { return {[](int x) { return x; }}; });
                            }})
           .child(startable{"expected",
                            [&](incarnation n) -> expected<caf::actor> {
                              numbers.push_back(n);
                              return s.spawn_child("expected");
                            }})
           .child(startable{"failure", [](incarnation) -> expected<echo> { return fail("none left"); }}));
  CHECK(numbers == std::vector{incarnation{1}});
  REQUIRE(s.end);
  CHECK(s.end->cause.chain.back() == "none left");
}

TEST_CASE("a start that takes its time holds back what comes after it, until it is ready") {
  stage s;
  std::optional<start_notice> notice;
  startable slow{"slow", [&](const start_context& c) {
                   notice = c.notice;
                   return started::later();
                 }};
  s.play(supervise("root").child(slow).child(s.child("b")));
  CHECK(s.seen().empty());
  notice->ready(s.spawn_child("slow"));
  s.run();
  CHECK(s.seen() == strings{"start b", "ready"});
  s.tree->stop();
  s.run();
  CHECK(s.seen() == strings{"end b", "end slow", "end of the tree"});
}

TEST_CASE("a start that takes its time may fail, and so may its actor before it is ready") {
  stage s;
  int attempt = 0;
  std::optional<start_notice> notice;
  startable slow{"slow", [&](const start_context& c) {
                   notice = c.notice;
                   s.now["slow"] = s.spawn_child("slow");
                   return attempt++ == 1 ? started::later() : started::later(s.now["slow"]);
                 }};
  s.play(supervise("root", one_for_one, at_most(5, 1min)).child(slow));
  notice->ready(s.now["slow"]);
  s.run();
  s.tell("slow", "fail"); // restarts: attempt 1 has no handle
  notice->failed({"no route to its node"});
  s.run();
  CHECK(s.reports.back().what == decision::retry);
  CHECK(s.reports.back().cause.chain == strings{"no route to its node"});
  s.tell("slow", "throw"); // attempt 2: watched, not ready yet
  CHECK(s.reports.back().what == decision::retry);
  CHECK(s.reports.back().cause.kind == exit_kind::exception);
}

TEST_CASE("T2: an actor that arrives for a start that was given up is ended, and changes nothing") {
  stage s;
  std::vector<start_notice> notices;
  startable slow{"slow", [&](const start_context& c) {
                   notices.push_back(c.notice);
                   return started::later();
                 }};
  s.play(supervise("root", one_for_one, at_most(5, 1min)).child(slow, ready_within(1s)));
  s.seen();
  SECTION("while the supervisor runs") {
    notices[0].ready(s.spawn_child("first"));
    s.run();
    CHECK(s.seen() == strings{"ready"});
    auto again = s.spawn_child("again"); // held, so that only a kill ends it
    notices[0].ready(again);             // not the handle the supervisor has: nobody asked for this one
    s.run();
    CHECK(s.seen() == strings{"end again"});
  }
  SECTION("after the supervisor has ended") {
    s.pass(1s);
    CHECK(s.seen() == strings{"end of the tree"});
    CHECK(s.end->late_notices == 0);
    auto late = s.spawn_child("late");
    notices[0].ready(late);
    s.run();
    CHECK(s.seen() == strings{"end late"});
  }
}

TEST_CASE("T2: a notice of an older incarnation is dropped and counted") {
  stage s;
  std::vector<start_notice> notices;
  startable a{"a", [&](const start_context& c) {
                notices.push_back(c.notice);
                return s.now[c.id] = s.spawn_child(c.id);
              }};
  s.play(supervise("root").child(a));
  s.tell("a", "fail");
  notices[0].failed({"the first one, late"});
  s.run();
  s.tree->stop();
  s.run();
  CHECK(s.end->restarts == 1);
  CHECK(s.end->late_notices == 1);
}
