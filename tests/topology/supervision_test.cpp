// The supervision contract through real actors, in virtual time.

#include <caf/event_based_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "messages/caf.hpp"
#include "supervision/exit_reason.hpp"
#include "supervision/run_tree.hpp"
#include "virtual_system.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using strings = std::vector<std::string>;

/// A tree of actors that do as they are told, and a record of who started and ended when.
struct stage : virtual_system {
  strings did;                           ///< "start a", "end a", "ready", "end of the tree"
  std::map<std::string, caf::actor> now; ///< the latest actor of each name
  std::map<std::string, incarnation> number;
  std::vector<supervision_report> reports;
  std::optional<tree_end> end;
  std::optional<running_tree> tree;

  ~stage() {
    if (tree && !end) {
      tree->stop();
      pass(1min);
    }
    now.clear();
    run();
  }

  /// Obeys strings: "throw", "fail", "done"; answers numbers by themselves.
  caf::actor spawn_child(const std::string& name, bool stubborn = false) {
    return system().spawn([this, name, stubborn](caf::event_based_actor* self) -> caf::behavior {
      if (stubborn)
        on_exit_message(self, [](caf::exit_msg&) {});
      self->attach_functor([this, name](const caf::error&) { did.push_back("end " + name); });
      return {
        [self](const std::string& order) {
          if (order == "throw")
            throw std::runtime_error("as told");
          self->quit(order == "fail" ? reason_of(failure{"as told"}) : caf::error{});
        },
        [](int x) { return x; },
      };
    });
  }

  startable child(std::string name, bool stubborn = false) {
    return {std::move(name), [this, stubborn](const start_context& c) {
              did.push_back("start " + c.id);
              number[c.id] = c.number;
              return now[c.id] = spawn_child(c.id, stubborn);
            }};
  }

  void play(const supervision_tree& what) {
    auto running = run_tree(system(), what,
                            {.on_ready = [this] { did.emplace_back("ready"); },
                             .on_report = [this](const supervision_report& r) { reports.push_back(r); },
                             .on_end =
                               [this](const tree_end& e) {
                                 did.emplace_back("end of the tree");
                                 end = e;
                               }});
    REQUIRE(running);
    tree = std::move(*running);
    run();
  }

  void tell(const std::string& name, const std::string& order) {
    troupe::anon_send(now.at(name), order);
    run();
  }

  strings seen() { return std::exchange(did, {}); }
};

} // namespace

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

TEST_CASE("S8: the dynamic API answers every call exactly once, also when the supervisor has ended") {
  stage s;
  s.play(supervise("root").child(s.child("a")));
  auto root = *s.tree->find("root");
  std::vector<call_result> answers;
  auto note = [&](const call_result& r) { answers.push_back(r); };
  size_t listed = 9;
  root.terminate_child("a", note);
  root.delete_child("b", note);
  root.list_children([&](const auto& children) { listed = children.size(); });
  s.run();
  REQUIRE(answers.size() == 2);
  CHECK(answers[0].child == "b"); // at once; the other waits for a's end
  CHECK(answers[0].error == call_error::not_found);
  CHECK(answers[1].child == "a");
  CHECK_FALSE(answers[1].error);
  CHECK(listed == 1);

  root.restart_child("a", note); // overtaken by the end
  s.tree->stop();
  s.run();
  root.restart_child("a", note);
  root.list_children([&](const auto& children) { listed = children.size(); });
  s.run();
  REQUIRE(answers.size() == 4);
  CHECK(answers[3].error == call_error::stopping);
  CHECK(listed == 0);
  CHECK_FALSE(s.tree->find("root"));
}

TEST_CASE("S2: 10,000 children of a template start, each with its argument, and stop in parallel") {
  stage s;
  int sum = 0;
  startable session{"session", [&](const start_context& c) {
                      sum += c.argument.get_as<int>(0);
                      return c.system.spawn([](caf::event_based_actor* self) -> caf::behavior {
                        on_exit_message(self,
                                        [self](caf::exit_msg&) { run_after(self, 1s, [self] { self->quit(); }); });
                        return {[](int x) { return x; }};
                      });
                    }};
  s.play(supervise("root", simple_one_for_one).child(session, temporary));
  auto root = *s.tree->find("root");
  int started_well = 0;
  for (int i = 0; i < 10'000; ++i)
    root.start_child(caf::make_message(i), [&](const call_result& r) { started_well += r.error ? 0 : 1; });
  s.run();
  CHECK(started_well == 10'000);
  CHECK(sum == 9'999 * 5'000);
  s.tree->stop();
  s.pass(1s); // each takes a second: one after another they would take hours
  CHECK(s.end);
}

TEST_CASE("a request outstanding when a child crashes gets exactly one error, and the next incarnation answers") {
  stage s;
  s.play(supervise("root").child(s.child("a")));
  int values = 0, errors = 0;
  auto ask = [&](caf::actor whom) {
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
