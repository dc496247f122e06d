/// Hosts that die, or are stopped, in the middle of a run.

#include <catch2/catch_test_macros.hpp>

#include "tests/hosts/running_hosts.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;

TEST_CASE("a host that is killed costs the run its agent's work, and comes back when its node does (I10)") {
  hosts_at_work at;
  at.hosts.kill(1);
  CHECK(at.run.sees("ended", "agent/1"));
  CHECK(at.run.takes_in("agent/1")); // on another host
  CHECK(at.run.gets_on());
  at.nodes.start(1);
  at.hosts.kill(2); // now the first is needed again
  CHECK(at.run.sees("ended", "agent/2"));
  CHECK(at.run.takes_in("agent/2"));
  CHECK(at.run.gets_on());
  at.nodes.start(2);
  at.run.stop_and_check();
  CHECK(at.nodes.are_free());
}

TEST_CASE(
  "an agent whose host is lost while no other has a slot waits for a place, which costs no restart, and starts when "
  "its host is back (I4, I8, I10)") {
  hosts_at_work at({.slots = 1});
  at.hosts.kill(1);
  CHECK(at.run.sees("ended", "agent/1"));
  CHECK(at.run.sees("waits", "agent/1"));
  CHECK(at.run.gets_on(200));
  CHECK(at.run.comes_true([&] { return at.run.said().find("agent/1 waits for a place: ") != std::string::npos; }));
  at.nodes.start(1);
  CHECK(at.run.takes_in("agent/1"));
  CHECK(at.run.comes_true([&] { return at.run.said().find("agent/1 has a place again") != std::string::npos; }));
  CHECK(at.run.gets_on());
  CHECK(at.run.stop_and_check()["restarts"] == 1);
  CHECK(at.nodes.are_free());
}

TEST_CASE("a run that is stopped while agents wait for a place ends at once, and leaves nothing (I9)") {
  hosts_at_work at({.slots = 1});
  at.hosts.kill(1);
  CHECK(at.run.sees("waits", "agent/1"));
  at.run.stop_and_check();
  CHECK(at.nodes.are_free_on({0, 2}));
}

TEST_CASE(
  "a host that was frozen for so long that it counts as dead ends what it has of the run when it is thawed (I15, "
  "R8)") {
  hosts_at_work at;
  const auto zombies = at.nodes.workers(1);
  REQUIRE(zombies.size() == 1);
  at.hosts.freeze(1);
  CHECK(at.run.sees("unreachable", "agent/1"));
  CHECK(at.run.gets_on());
  CHECK(at.run.sees("dead", "agent/1"));
  CHECK(at.run.takes_in("agent/1"));
  at.hosts.thaw(1);
  CHECK(at.run.comes_true([&] { return are_gone(zombies); }));
  CHECK(at.run.gets_on());
  at.run.stop_and_check();
  CHECK(at.nodes.are_free());
}

TEST_CASE("a host that was frozen for a moment goes on where it was") {
  hosts_at_work at;
  const auto workers = at.nodes.workers(1);
  at.hosts.freeze(1);
  CHECK(at.run.sees("unreachable", "agent/1"));
  CHECK(at.run.goes_on_without("agent/1"));
  CHECK(at.run.gets_on());
  at.hosts.thaw(1);
  CHECK(at.run.sees("reachable", "agent/1"));
  CHECK(at.run.takes_in("agent/1"));
  CHECK(at.run.gets_on());
  CHECK(at.nodes.workers(1) == workers);
  at.run.stop_and_check();
  CHECK(at.nodes.are_free());
}
