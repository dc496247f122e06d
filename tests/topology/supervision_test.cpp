// The supervision contract through real actors, in virtual time.

#include <algorithm>

#include "tests/topology/stage.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

TEST_CASE("S1: a tree starts in reading order and stops in the reverse of it") {
  stage s;
  s.play(supervise("root", rest_for_one)
           .child(supervise("shards", one_for_all).child({s.child("s/0"), s.child("s/1")}))
           .child(supervise("agents").child({s.child("a/0"), s.child("a/1")}))
           .child(s.child("leader"), transient, significant));
  CHECK(s.seen() == strings{"start s/0", "start s/1", "start a/0", "start a/1", "start leader", "ready"});
  s.tree->stop();
  s.run();
  CHECK(s.seen() == strings{"end leader", "end a/1", "end a/0", "end s/1", "end s/0", "end of the tree"});
  CHECK(s.end->cause == exit_cause{exit_kind::shutdown, {}});
  CHECK(s.end->was_ready);
  CHECK_FALSE(s.end->failed());
}

TEST_CASE("S2: each strategy stops and starts through actors in the order of the contract") {
  auto play = [](restart_strategy strategy) {
    stage s;
    s.play(supervise("root", strategy).child({s.child("a"), s.child("b"), s.child("c")}));
    s.seen();
    s.tell("b", "throw");
    return s.seen();
  };
  CHECK(play(one_for_one) == strings{"end b", "start b"});
  CHECK(play(one_for_all) == strings{"end b", "end c", "end a", "start a", "start b", "start c"});
  CHECK(play(rest_for_one) == strings{"end b", "end c", "start b", "start c"});
}

TEST_CASE("S9: exception, failure and kill reach the report as what they are") {
  stage s;
  s.play(supervise("root", one_for_one, at_most(9, 1min)).child(s.child("a")));
  s.tell("a", "throw");
  s.tell("a", "fail");
  anon_send_exit(s.now["a"], caf::error{caf::exit_reason::kill});
  s.run();
  s.tell("a", "done");
  REQUIRE(s.reports.size() == 4);
  CHECK(s.reports[0].cause == exit_cause{exit_kind::exception, {"std.runtime_error: as told"}});
  CHECK(s.reports[1].cause == exit_cause{exit_kind::error, {"as told"}});
  CHECK(s.reports[2].cause == exit_cause{exit_kind::kill, {}});
  CHECK(s.reports[3].cause == exit_cause{exit_kind::normal, {}});
  CHECK(s.number["a"] == incarnation{5});
  CHECK(s.tree->restarts() == 4);
}

TEST_CASE("S4 T7: what the inner supervisor cannot mend goes up, and the root ends the run with the chain of causes") {
  stage s;
  s.play(supervise("root", one_for_one, at_most(1, 1min))
           .child(supervise("agents", one_for_one, at_most(1, 1min)).child({s.child("a/0"), s.child("a/1")}))
           .child(s.child("other")));
  s.seen();
  s.tell("a/0", "fail");
  CHECK(s.seen() == strings{"end a/0", "start a/0"});
  s.tell("a/0", "fail"); // the inner limit: the root restarts the inner supervisor, and nothing outside it
  CHECK(s.seen() == strings{"end a/0", "end a/1", "start a/0", "start a/1"});
  s.tell("a/1", "fail");
  s.tell("a/1", "fail"); // the inner limit again, and the root's
  CHECK(s.seen() == strings{"end a/1", "start a/1", "end a/1", "end a/0", "end other", "end of the tree"});
  CHECK(s.end->failed());
  CHECK(s.end->cause.chain ==
        strings{"supervisor root gave up: agents needed one restart more than the 1 granted within 1 min",
                "agents #2 ended (escalated)",
                "supervisor root/agents gave up: a/1 needed one restart more than the 1 granted within 1 min",
                "a/1 #4 ended (error)", "as told"});
  CHECK(s.end->restarts == 3);
  CHECK(s.end->last == s.reports);
}

TEST_CASE("S7: the normal end of a significant child ends the run cleanly") {
  stage s;
  s.play(supervise("root").child(s.child("a")).child(s.child("leader"), transient, significant));
  s.seen();
  s.tell("leader", "done");
  CHECK(s.seen() == strings{"end leader", "end a", "end of the tree"});
  CHECK_FALSE(s.end->failed());
  CHECK(s.end->cause.chain == strings{"leader #1 ended (normal)"});
}

TEST_CASE("S6: a child that does not heed being asked is killed after its shutdown time") {
  stage s;
  s.play(supervise("root").child(s.child("a", true), shutdown_within(300ms)));
  s.seen();
  s.tree->stop();
  s.pass(299ms);
  CHECK(s.seen().empty());
  s.pass(1ms);
  CHECK(s.seen() == strings{"end a", "end of the tree"});
}

TEST_CASE("T1: restarts wait their back-off in virtual time") {
  stage s;
  s.play(
    supervise("root", one_for_one, at_most(9, 1h)).backoff({.min = 100ms, .max = 1s, .jitter = 0}).child(s.child("a")));
  s.seen();
  for (auto wait : {100ms, 200ms, 400ms}) {
    s.tell("a", "throw");
    s.pass(wait - 1ns);
    CHECK(s.seen() == strings{"end a"});
    s.pass(1ns);
    CHECK(s.seen() == strings{"start a"});
  }
}

TEST_CASE("S10: a restarted supervisor comes back with its static children and without the dynamic ones") {
  stage s;
  s.play(supervise("root", one_for_one, at_most(5, 1min))
           .child(supervise("agents", one_for_one, at_most(0, 1min)).child(s.child("a"))));
  std::optional<call_result> added;
  s.tree->find("root/agents")->start_child(s.child("dynamic"), {}, [&](const call_result& r) { added = r; });
  s.run();
  REQUIRE(added);
  CHECK_FALSE(added->error);
  s.seen();
  s.tell("a", "fail");
  CHECK(s.seen() == strings{"end a", "end dynamic", "start a"});
  CHECK(s.number["a"] == incarnation{2});
}

TEST_CASE("S10: a supervisor that is killed takes its children with it, and nothing outside its subtree is touched") {
  stage s;
  s.play(supervise("root").child(s.child("outside")).child(supervise("inner").child({s.child("a"), s.child("b")})));
  s.seen();
  anon_send_exit(s.tree->find("root/inner")->handle(), caf::error{caf::exit_reason::kill});
  s.run();
  auto seen = s.seen();
  CHECK(std::count(seen.begin(), seen.end(), "end a") == 1);
  CHECK(std::count(seen.begin(), seen.end(), "end b") == 1);
  CHECK(std::count(seen.begin(), seen.end(), "start a") == 1);
  CHECK(std::count(seen.begin(), seen.end(), "start b") == 1);
  CHECK(seen.size() == 4);
}

TEST_CASE("a request outstanding when a child crashes gets exactly one error, and the next incarnation answers") {
  stage s;
  s.play(supervise("root").child(s.child("a")));
  int values = 0, errors = 0;
  auto ask = [&](const caf::actor& whom) {
    s.system().spawn([&, whom](caf::event_based_actor* self) {
      request(self, whom, 10s, 7).then([&](int) { ++values; }, [&](const caf::error&) { ++errors; });
    });
  };
  auto first = s.now["a"];
  troupe::anon_send(first, std::string{"throw"});
  ask(first);
  s.pass(1min);
  CHECK(errors == 1);
  CHECK(values == 0);
  ask(s.now["a"]);
  s.pass(1min);
  CHECK(errors == 1);
  CHECK(values == 1);
}

TEST_CASE("a restart that fails for ever ends within its limit instead of going on") {
  stage s;
  bool broken = false;
  startable a{"a", [&](const start_context& c) -> started {
                if (broken)
                  return failure{"the port is in use"};
                return s.now[c.id] = s.spawn_child(c.id);
              }};
  s.play(supervise("root", one_for_all, at_most(5, 1min)).child(s.child("b")).child(a));
  broken = true;
  s.tell("a", "done");
  s.pass(0s);
  REQUIRE(s.end);
  CHECK(s.end->restarts == 5);
  CHECK(s.end->cause.chain.back() == "the port is in use");
}

TEST_CASE("a tree that breaks a rule is refused before anything starts") {
  stage s;
  auto refused = run_tree(s.system(), supervise("root").child(s.child("a"), significant), {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().sentence.find("significant does not go with restart permanent") != std::string::npos);
  s.run();
  CHECK(s.seen().empty());
}
