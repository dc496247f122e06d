/// Hosts that die, or are stopped, in the middle of a run.

#include <catch2/catch_test_macros.hpp>

#include "tests/hosts/endless_run.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;

TEST_CASE("a host that is killed costs the run its agent's work, and comes back when its node does (I10)") {
  const temporary_folder folder;
  auto hosts = hosts_or_skip(3);
  running_nodes nodes(*hosts, folder, {0, 1, 2});
  endless_run run(nodes, folder);
  hosts->kill(1);
  CHECK(run.sees("ended", "agent/1"));
  CHECK(run.takes_in("agent/1")); // on another host
  CHECK(run.gets_on());
  nodes.start(1);
  hosts->kill(2); // now the first is needed again
  CHECK(run.sees("ended", "agent/2"));
  CHECK(run.takes_in("agent/2"));
  CHECK(run.gets_on());
  nodes.start(2);
  run.stop_and_check();
  CHECK(nodes.are_free());
}

TEST_CASE(
  "a host that was frozen for so long that it counts as dead ends what it has of the run when it is thawed (I15, "
  "R8)") {
  const temporary_folder folder;
  auto hosts = hosts_or_skip(3);
  running_nodes nodes(*hosts, folder, {0, 1, 2});
  endless_run run(nodes, folder);
  const auto zombies = nodes.workers(1);
  REQUIRE(zombies.size() == 1);
  hosts->freeze(1);
  CHECK(run.sees("unreachable", "agent/1"));
  CHECK(run.gets_on());
  CHECK(run.sees("dead", "agent/1"));
  CHECK(run.takes_in("agent/1"));
  hosts->thaw(1);
  CHECK(run.comes_true([&] { return are_gone(zombies); }));
  CHECK(run.gets_on());
  run.stop_and_check();
  CHECK(nodes.are_free());
}

TEST_CASE("a host that was frozen for a moment goes on where it was") {
  const temporary_folder folder;
  auto hosts = hosts_or_skip(3);
  running_nodes nodes(*hosts, folder, {0, 1, 2});
  endless_run run(nodes, folder);
  const auto workers = nodes.workers(1);
  hosts->freeze(1);
  CHECK(run.sees("unreachable", "agent/1"));
  CHECK(run.goes_on_without("agent/1"));
  CHECK(run.gets_on());
  hosts->thaw(1);
  CHECK(run.sees("reachable", "agent/1"));
  CHECK(run.takes_in("agent/1"));
  CHECK(run.gets_on());
  CHECK(nodes.workers(1) == workers);
  run.stop_and_check();
  CHECK(nodes.are_free());
}
