/// The ways to keep agents together, each while a host is cut off and another one dies.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "tests/hosts/running_hosts.hpp"

using namespace troupe::test;

TEST_CASE(
  "whichever way agents keep together, a host that is cut off for a while and one that dies change no bit (I10)") {
  const auto mode = GENERATE(words{"--sync", "sharded"}, words{"--sync", "tree", "--fan-in", "2"},
                             words{"--sync", "ring", "--reproducible"});
  CAPTURE(mode);
  hosts_at_work at({.train = mode});
  at.hosts.cut(1);
  CHECK(at.run.sees("unreachable", "agent/1"));
  CHECK(at.run.goes_on_without("agent/1"));
  at.hosts.heal(1);
  CHECK(at.run.takes_in("agent/1"));
  CHECK(at.run.gets_on());
  at.hosts.kill(2);
  CHECK(at.run.sees("ended", "agent/2"));
  CHECK(at.run.takes_in("agent/2"));
  CHECK(at.run.gets_on());
  at.run.stop_and_check();
}

TEST_CASE(
  "whichever way agents keep together, a host that is lost and back, while its agent has no other place, changes "
  "no bit (I8, I10)") {
  const auto mode = GENERATE(words{"--sync", "sharded"}, words{"--sync", "tree", "--fan-in", "2"},
                             words{"--sync", "ring", "--reproducible"});
  CAPTURE(mode);
  hosts_at_work at({.slots = 1, .train = mode});
  at.hosts.kill(1);
  CHECK(at.run.sees("waits", "agent/1"));
  CHECK(at.run.gets_on());
  at.nodes.start(1);
  CHECK(at.run.takes_in("agent/1"));
  CHECK(at.run.gets_on());
  at.run.stop_and_check();
  CHECK(at.nodes.are_free());
}

TEST_CASE("shards of the data set that were lost with their host are back with it (I1, I10)") {
  const words shards{"--agents", "3", "--exchange", "static"};
  hosts_at_work at({.slots = 1, .train = shards});
  at.hosts.kill(1);
  CHECK(at.run.sees("waits", "agent/1"));
  CHECK(at.run.gets_on());
  at.nodes.start(1);
  CHECK(at.run.takes_in("agent/1"));
  CHECK(at.run.gets_on());
  at.run.stop_and_check(shards);
  CHECK(at.nodes.are_free());
}
