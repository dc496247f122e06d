/// Cuts between agents, behind the leader's back.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "tests/hosts/endless_run.hpp"

using namespace troupe::test;

TEST_CASE("agents that cannot reach each other, though the leader reaches both, get on (I8, I10)") {
  const auto both_ways = GENERATE(true, false);
  CAPTURE(both_ways);
  const temporary_folder folder;
  auto hosts = hosts_or_skip(3);
  running_nodes nodes(*hosts, folder, {0, 1, 2});
  endless_run run(nodes, folder, {"--sync", "ring", "--reproducible"});
  hosts->set(1, 2, {.cut = true});
  if (both_ways)
    hosts->set(2, 1, {.cut = true});
  CHECK(run.gets_on(200));
  hosts->heal(1);
  CHECK(run.gets_on(200));
  run.stop_and_check();
  CHECK(nodes.are_free());
}
