/// The leader's host, cut off or gone.

#include <catch2/catch_test_macros.hpp>

#include "tests/hosts/running_hosts.hpp"

using namespace troupe::test;

TEST_CASE("a leader that was cut off from all agents goes on with them when the link is back (I8, I10)") {
  hosts_at_work at({.nodes = {1, 2}});
  at.hosts.cut(0);
  CHECK(at.run.goes_on_without("agent/0"));
  CHECK(at.run.goes_on_without("agent/1"));
  at.hosts.heal(0);
  CHECK(at.run.takes_in("agent/0"));
  CHECK(at.run.takes_in("agent/1"));
  CHECK(at.run.gets_on());
  at.hosts.cut(0); // until all count as dead
  CHECK(at.run.sees("dead", "agent/0"));
  CHECK(at.run.sees("dead", "agent/1"));
  at.hosts.heal(0);
  CHECK(at.run.takes_in("agent/0"));
  CHECK(at.run.takes_in("agent/1"));
  CHECK(at.run.gets_on());
  at.run.stop_and_check();
  CHECK(at.nodes.are_free());
}

TEST_CASE("a run whose agents' hosts are all gone waits for them, and goes on with the first that is back (I8, I10)") {
  hosts_at_work at({.nodes = {1, 2}, .slots = 1});
  at.hosts.kill(1);
  at.hosts.kill(2);
  CHECK(at.run.sees("waits", "agent/0"));
  CHECK(at.run.sees("waits", "agent/1"));
  CHECK(at.run.comes_true([&] { return at.run.said().find("no agent is at work") != std::string::npos; }));
  at.nodes.start(2);
  CHECK(at.run.gets_on());
  at.nodes.start(1);
  CHECK(at.run.takes_in("agent/0"));
  CHECK(at.run.takes_in("agent/1"));
  CHECK(at.run.gets_on());
  CHECK(at.run.stop_and_check()["restarts"] == 2); // no wait costs one
  CHECK(at.nodes.are_free());
}

TEST_CASE("nodes whose leader is gone without a word end its workers, and take the next job (T4, I9)") {
  const temporary_folder folder;
  auto hosts = hosts_or_skip(3);
  running_nodes nodes(*hosts, folder, {1, 2});
  const auto sockets = nodes.sockets();
  {
    const endless_run run(nodes.train_endlessly(), folder);
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
