/// The leader's host, cut off or gone.

#include <catch2/catch_test_macros.hpp>

#include "tests/hosts/endless_run.hpp"

using namespace troupe::test;

TEST_CASE("a leader that was cut off from all agents goes on with them when the link is back (I8, I10)") {
  const temporary_folder folder;
  auto hosts = hosts_or_skip(3);
  running_nodes nodes(*hosts, folder, {1, 2});
  endless_run run(nodes, folder);
  hosts->cut(0);
  CHECK(run.goes_on_without("agent/0"));
  CHECK(run.goes_on_without("agent/1"));
  hosts->heal(0);
  CHECK(run.takes_in("agent/0"));
  CHECK(run.takes_in("agent/1"));
  CHECK(run.gets_on());
  hosts->cut(0); // until all count as dead
  CHECK(run.sees("dead", "agent/0"));
  CHECK(run.sees("dead", "agent/1"));
  hosts->heal(0);
  CHECK(run.takes_in("agent/0"));
  CHECK(run.takes_in("agent/1"));
  CHECK(run.gets_on());
  run.stop_and_check();
  CHECK(nodes.are_free());
}

TEST_CASE("nodes whose leader is gone without a word end its workers, and take the next job (T4, I9)") {
  const temporary_folder folder;
  auto hosts = hosts_or_skip(3);
  running_nodes nodes(*hosts, folder, {1, 2});
  const auto sockets = nodes.sockets();
  {
    const endless_run run(nodes, folder);
    REQUIRE(nodes.workers(1).size() == 1);
    hosts->cut(0); // as if its power failed: no word of it gets out
    hosts->kill(0);
    CHECK(nodes.are_free());
  }
  hosts->heal(0);
  process next(nodes.train(0, 100), folder.path());
  CHECK(next.wait(deadline) == 0);
  CHECK(report_in(folder)["weights_sha256"] == undisturbed_long_job(100));
  CHECK(nodes.are_free());
  CHECK(next.wait_until([&] { return nodes.sockets() == sockets; }, deadline));
}
