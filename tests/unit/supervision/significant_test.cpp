// S7: significant children.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "world.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

/// a is an ordinary permanent child, x and y are significant.
supervisor_spec with_significant(auto_shutdown rule, restart_type type, restart_strategy strategy = one_for_one) {
  auto spec = spec_of(strategy, {"a", "x", "y"});
  spec.on_significant = rule;
  for (size_t i : {1U, 2U}) {
    spec.children[i].significant = true;
    spec.children[i].restart = type;
  }
  return spec;
}

} // namespace

TEST_CASE("S7 any_significant: the first significant child to end by itself ends the supervisor") {
  world w{with_significant(any_significant, transient)};
  w.begin().did();
  w.die("x", exit_kind::normal);
  CHECK(w.did() == strings{"stop y", "stop a", "finish shutdown"});
  CHECK(w.cause.chain == strings{"x #1 ended (normal)"});
  CHECK(w.reports.empty());
}

TEST_CASE("S7 all_significant: the last significant child to end by itself ends the supervisor") {
  world w{with_significant(all_significant, transient)};
  w.begin().did();
  w.die("x", exit_kind::normal);
  CHECK(w.did().empty());
  w.die("y", exit_kind::normal);
  CHECK(w.did() == strings{"stop a", "finish shutdown"});
}

TEST_CASE("S7: a transient child ends its supervisor only by a normal exit, an abnormal one restarts it") {
  world w{with_significant(any_significant, transient)};
  w.begin().did();
  w.die("x", GENERATE(exit_kind::error, exit_kind::exception, exit_kind::kill, exit_kind::connection_lost));
  CHECK(w.did() == strings{"start x"});
}

TEST_CASE("S7: a temporary child ends its supervisor by any exit of its own") {
  auto kind = GENERATE(exit_kind::normal, exit_kind::shutdown, exit_kind::error, exit_kind::kill);
  world w{with_significant(any_significant, temporary)};
  w.begin().did();
  w.die("x", kind, "why");
  CHECK(w.did().back() == "finish shutdown");
  if (kind == exit_kind::error) {
    REQUIRE(w.reports.size() == 1);
    CHECK(w.reports[0].what == decision::end_supervisor);
  }
}

TEST_CASE("S7: a significant child that the supervisor stopped does not end it") {
  world w{with_significant(any_significant, GENERATE(transient, temporary))};
  w.begin().did();
  CHECK_FALSE(w.terminate("x").error);
  CHECK(w.did() == strings{"stop x"});
  CHECK_FALSE(w.finished());
}

TEST_CASE("S7: a significant child that ends as a bystander does not end its supervisor") {
  world w{with_significant(any_significant, transient, one_for_all)};
  w.begin().did();
  w.ignores_stop = {"y"};
  w.die("a");
  w.die("x", exit_kind::normal).die("y", exit_kind::normal);
  CHECK(w.did() == strings{"stop y", "start a", "start x", "start y"});
}

TEST_CASE("S7: a significant child that is done before its siblings are ready lets the start succeed first") {
  auto spec = with_significant(any_significant, transient);
  world w{spec};
  w.never_ready = {"y"};
  w.begin().die("x", exit_kind::normal).did();
  w.become_ready("y");
  CHECK(w.did() == strings{"ready", "stop y", "stop a", "finish shutdown"});
}
