/// Hosts that are heard but hear nothing, or the other way round.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "tests/hosts/running_hosts.hpp"

using namespace troupe::test;

TEST_CASE("who is heard but hears nothing is left out, and so is who hears but is not heard (I10, I15)") {
  const auto heard = GENERATE(true, false);
  CAPTURE(heard);
  hosts_at_work at;
  const auto zombies = at.nodes.workers(1);
  at.hosts.set(heard ? 0 : 1, heard ? 1 : 0, {.cut = true});
  CHECK(at.run.sees("unreachable", "agent/1"));
  CHECK(at.run.goes_on_without("agent/1"));
  CHECK(at.run.gets_on());
  CHECK(at.run.sees("dead", "agent/1"));
  CHECK(at.run.takes_in("agent/1"));
  CHECK(at.run.comes_true([&] { return are_gone(zombies); }));
  at.hosts.heal(1);
  CHECK(at.run.gets_on());
  at.run.stop_and_check();
  CHECK(at.nodes.are_free());
}
