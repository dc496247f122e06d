/// The ways to keep agents together, each while a host is cut off and another one dies.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "tests/hosts/endless_run.hpp"

using namespace troupe::test;

TEST_CASE(
  "whichever way agents keep together, a host that is cut off for a while and one that dies change no bit (I10)") {
  const auto mode = GENERATE(words{"--sync", "sharded"}, words{"--sync", "tree", "--fan-in", "2"},
                             words{"--sync", "ring", "--reproducible"});
  CAPTURE(mode);
  const temporary_folder folder;
  auto hosts = hosts_or_skip(3);
  running_nodes nodes(*hosts, folder, {0, 1, 2});
  endless_run run(nodes, folder, mode);
  hosts->cut(1);
  CHECK(run.sees("unreachable", "agent/1"));
  CHECK(run.goes_on_without("agent/1"));
  hosts->heal(1);
  CHECK(run.takes_in("agent/1"));
  CHECK(run.gets_on());
  hosts->kill(2);
  CHECK(run.sees("ended", "agent/2"));
  CHECK(run.takes_in("agent/2"));
  CHECK(run.gets_on());
  run.stop_and_check();
}
