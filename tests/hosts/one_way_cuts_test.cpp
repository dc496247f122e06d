/// Hosts that are heard but hear nothing, or the other way round.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "tests/hosts/endless_run.hpp"

using namespace troupe::test;

TEST_CASE("who is heard but hears nothing is left out, and so is who hears but is not heard (I10, I15)") {
  const auto heard = GENERATE(true, false);
  CAPTURE(heard);
  const temporary_folder folder;
  auto hosts = hosts_or_skip(3);
  running_nodes nodes(*hosts, folder, {0, 1, 2});
  endless_run run(nodes, folder);
  const auto zombies = nodes.workers(1);
  hosts->set(heard ? 0 : 1, heard ? 1 : 0, {.cut = true});
  CHECK(run.sees("unreachable", "agent/1"));
  CHECK(run.goes_on_without("agent/1"));
  CHECK(run.gets_on());
  CHECK(run.sees("dead", "agent/1"));
  CHECK(run.takes_in("agent/1"));
  CHECK(run.comes_true([&] { return are_gone(zombies); }));
  hosts->heal(1);
  CHECK(run.gets_on());
  run.stop_and_check();
  CHECK(nodes.are_free());
}
