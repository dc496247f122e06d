// The grid of the supervision contract: {restart type} × {exit} × {strategy} × {base, failing restart, escalation,
// bystander, two deaths at once}. Three children a, b, c of one type; for simple_one_for_one three of a template.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <fmt/format.h>

#include "world.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

struct cell {
  restart_strategy strategy;
  restart_type type;
  exit_kind kind;

  /// S3, written once more and differently from the code under test.
  [[nodiscard]] bool restarts() const {
    bool by_itself = kind == exit_kind::normal || kind == exit_kind::shutdown;
    return (type == permanent) || (type == transient && !by_itself);
  }
  [[nodiscard]] bool is_abnormal() const { return kind != exit_kind::normal && kind != exit_kind::shutdown; }
  [[nodiscard]] std::string name() const {
    return fmt::format("{} × {} × {}", to_string(strategy), to_string(type), to_string(kind));
  }
};

cell any_cell() {
  return {GENERATE(one_for_one, one_for_all, rest_for_one, simple_one_for_one),
          GENERATE(permanent, transient, temporary),
          GENERATE(exit_kind::normal, exit_kind::shutdown, exit_kind::error, exit_kind::exception, exit_kind::kill,
                   exit_kind::connection_lost)};
}

/// a, b and c as they are called under `strategy`.
struct names {
  std::string a, b, c;
  explicit names(restart_strategy s)
    : a(s == simple_one_for_one ? "w/0" : "a"), b(s == simple_one_for_one ? "w/1" : "b"),
      c(s == simple_one_for_one ? "w/2" : "c") {}
};

world running(const cell& x, restart_limit limit = at_most(100, 5s)) {
  if (x.strategy == simple_one_for_one) {
    world w{spec_of(x.strategy, {"w"}, x.type, limit)};
    w.begin();
    for (int i = 0; i < 3; ++i)
      w.start_from_template();
    w.did();
    return w;
  }
  world w{spec_of(x.strategy, {"a", "b", "c"}, x.type, limit)};
  w.begin();
  w.did();
  return w;
}

std::string started(const std::string& id) {
  return "start " + id;
}

std::string asked(const std::string& id) {
  return "stop " + id;
}

} // namespace

TEST_CASE("S2 S3: a death restarts the children that strategy, restart type and exit call for, in their order") {
  auto x = any_cell();
  INFO(x.name());
  names n{x.strategy};
  auto w = running(x);
  w.die(n.b, x.kind);

  strings expected;
  if (x.restarts() && x.strategy == one_for_all)
    expected = {asked(n.c), asked(n.a), started(n.a), started(n.b), started(n.c)};
  else if (x.restarts() && x.strategy == rest_for_one)
    expected = {asked(n.c), started(n.b), started(n.c)};
  else if (x.restarts())
    expected = {started(n.b)};
  CHECK(w.did() == expected);

  bool kept = x.restarts() || (x.type == transient && x.strategy != simple_one_for_one);
  CHECK((w.state.children.find(n.b) != nullptr) == kept);
  CHECK(w.state.restarts == (x.restarts() ? 1 : 0));
  CHECK_FALSE(w.finished());
}

TEST_CASE("S9: each abnormal exit and each exit that leads to a restart is reported once, with what was decided") {
  auto x = any_cell();
  INFO(x.name());
  names n{x.strategy};
  auto w = running(x);
  w.die(n.b, x.kind, "why");
  if (!x.restarts() && !x.is_abnormal()) {
    CHECK(w.reports.empty());
    return;
  }
  REQUIRE(w.reports.size() == 1);
  auto what = x.restarts() ? decision::restart : decision::drop;
  CHECK(w.reports[0].supervisor == "s");
  CHECK(w.reports[0].child == n.b);
  CHECK(w.reports[0].cause == exit_cause{x.kind, {"why"}});
  CHECK(w.reports[0].what == what);
}

TEST_CASE("S5: a restart that fails counts and is tried again after a turn of the mailbox, whatever the exit was") {
  auto x = any_cell();
  INFO(x.name());
  if (!x.restarts())
    return;
  names n{x.strategy};
  auto w = running(x);
  w.fails_to_start = {n.b};
  w.die(n.b, x.kind);
  w.did();
  CHECK(w.state.restarts == 2);
  CHECK(w.state.children.find(n.b)->state == child_state::restarting);
  w.fails_to_start.clear();
  w.pass(0s);

  strings expected{started(n.b)};
  if (x.strategy == one_for_all) // a was back and has been stopped again
    expected = {started(n.a), started(n.b), started(n.c)};
  else if (x.strategy == rest_for_one)
    expected = {started(n.b), started(n.c)};
  CHECK(w.did() == expected);
  CHECK(w.state.children.live() == 3);
}

TEST_CASE("S4: one restart more than granted stops all children in reverse order, then the supervisor") {
  auto x = any_cell();
  INFO(x.name());
  names n{x.strategy};
  auto w = running(x, at_most(0, 5s));
  w.die(n.b, x.kind, "why");
  if (!x.restarts()) {
    CHECK_FALSE(w.finished());
    return;
  }
  if (x.strategy == simple_one_for_one) // in parallel, so without an order of its own
    CHECK(w.did() == strings{asked(n.a), asked(n.c), "finish escalated"});
  else
    CHECK(w.did() == strings{asked(n.c), asked(n.a), "finish escalated"});
  REQUIRE(w.cause.chain.size() == 3);
  CHECK(w.cause.chain[0].find("supervisor s gave up: " + n.b) == 0);
  CHECK(w.cause.chain[1] == fmt::format("{} #{} ended ({})", n.b, w.reports[0].number.value, to_string(x.kind)));
  CHECK(w.cause.chain[2] == "why");
  REQUIRE(w.reports.size() == 1);
  CHECK(w.reports[0].what == decision::escalate);
}

TEST_CASE("S3: a bystander of a group restart comes back whatever its type, except a temporary one, which is dropped") {
  auto strategy = GENERATE(one_for_all, rest_for_one);
  auto type = GENERATE(permanent, transient, temporary);
  INFO(to_string(strategy) << " × " << to_string(type));
  auto spec = spec_of(strategy, {"a", "b", "c"});
  spec.children[1].restart = type;
  world w{spec};
  w.begin().did();
  w.die("a");
  strings expected{"stop c", "stop b", "start a", "start b", "start c"};
  if (type == temporary)
    expected = {"stop c", "stop b", "start a", "start c"};
  CHECK(w.did() == expected);
  CHECK((w.state.children.find("b") == nullptr) == (type == temporary));
}

TEST_CASE("S3: a bystander that ends by itself before its turn to stop is neither counted nor restarted on its own") {
  auto strategy = GENERATE(one_for_all, rest_for_one);
  auto x = cell{strategy, GENERATE(permanent, transient, temporary),
                GENERATE(exit_kind::normal, exit_kind::shutdown, exit_kind::error, exit_kind::exception,
                         exit_kind::kill, exit_kind::connection_lost)};
  INFO(x.name());
  auto spec = spec_of(strategy, {"a", "b", "c"});
  spec.children[1].restart = x.type;
  world w{spec};
  w.begin().did();
  w.ignores_stop = {"c"};
  w.die("a");
  CHECK(w.did() == strings{"stop c"});
  w.die("b", x.kind);
  CHECK(w.did().empty());
  w.die("c", exit_kind::shutdown);
  if (x.type == temporary)
    CHECK(w.did() == strings{"start a", "start c"});
  else
    CHECK(w.did() == strings{"start a", "start b", "start c"});
  CHECK(w.state.restarts == 1);
  REQUIRE(w.reports.size() == (x.is_abnormal() ? 2 : 1));
  if (x.is_abnormal())
    CHECK(w.reports[1].what == decision::absorb);
}

TEST_CASE("two deaths at once give each child exactly one new incarnation") {
  auto x = any_cell();
  INFO(x.name());
  names n{x.strategy};
  auto w = running(x);
  // The second notice is in the mailbox before the supervisor has handled the first: c's stop is not answered yet.
  w.ignores_stop = {n.a, n.b, n.c};
  auto before = w.state.children.find(n.a)->number;
  w.die(n.b, x.kind);
  w.die(n.c, x.kind);
  for (const auto& id : {n.a, n.b}) // whoever was asked obeys now
    if (auto* c = w.state.children.find(id); c && c->state == child_state::stopping)
      w.die(id, exit_kind::shutdown);

  for (const auto& id : {n.b, n.c}) {
    auto* c = w.state.children.find(id);
    if (!x.restarts())
      CHECK((!c || c->state == child_state::stopped));
    else
      CHECK((c && c->state == child_state::running && c->number.value == before.value + 1));
  }
  bool separate = x.strategy == one_for_one || x.strategy == simple_one_for_one;
  CHECK(w.state.restarts == (!x.restarts() ? 0 : separate ? 2 : 1));
  CHECK(w.state.children.find(n.a)->number.value == before.value + (x.restarts() && x.strategy == one_for_all ? 1 : 0));
}
