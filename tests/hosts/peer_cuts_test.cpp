/// Cuts between agents, behind the leader's back.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "tests/hosts/running_hosts.hpp"

using namespace troupe::test;

TEST_CASE("agents that cannot reach each other, though the leader reaches both, get on (I8, I10)") {
  const auto both_ways = GENERATE(true, false);
  CAPTURE(both_ways);
  hosts_at_work at({.train = {"--sync", "ring", "--reproducible"}});
  at.hosts.set(1, 2, {.cut = true});
  if (both_ways)
    at.hosts.set(2, 1, {.cut = true});
  CHECK(at.run.gets_on(200));
  at.hosts.heal(1);
  CHECK(at.run.gets_on(200));
  at.run.stop_and_check();
  CHECK(at.nodes.are_free());
}
