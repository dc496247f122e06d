/// Hosts that are cut off, and networks that are slow.

#include <catch2/catch_test_macros.hpp>

#include "tests/hosts/running_hosts.hpp"

using namespace troupe::test;

TEST_CASE("a link that is cut for longer than silence is borne, again and again, costs no process (R8, I10)") {
  hosts_at_work at;
  const auto workers = at.nodes.workers(1);
  for (int i = 0; i < 4; ++i) {
    CAPTURE(i);
    at.hosts.cut(1);
    CHECK(at.run.sees("unreachable", "agent/1"));
    CHECK(at.run.goes_on_without("agent/1"));
    CHECK(at.run.gets_on());
    at.hosts.heal(1);
    CHECK(at.run.sees("reachable", "agent/1"));
    CHECK(at.run.takes_in("agent/1"));
    CHECK(at.run.gets_on());
  }
  CHECK(at.nodes.workers(1) == workers);
  at.run.stop_and_check();
  CHECK(at.nodes.are_free());
}

TEST_CASE("a host that is cut off until it counts as dead ends what it has of the run, though nobody can tell it (I15, "
          "R8)") {
  hosts_at_work at;
  const auto zombies = at.nodes.workers(1);
  const auto sockets = at.nodes.sockets();
  at.hosts.cut(1);
  CHECK(at.run.sees("dead", "agent/1"));
  CHECK(at.run.takes_in("agent/1"));
  CHECK(at.run.comes_true([&] { return are_gone(zombies); })); // before the link is back
  at.hosts.heal(1);
  CHECK(at.run.gets_on());
  at.hosts.kill(2); // the run needs the node that was cut off
  CHECK(at.run.sees("ended", "agent/2"));
  CHECK(at.run.takes_in("agent/2"));
  CHECK(at.run.gets_on());
  at.nodes.start(2);
  at.run.stop_and_check();
  CHECK(at.nodes.are_free());
  CHECK(at.nodes.sockets() <= sockets);
}

TEST_CASE("a network that delays by 50 ms and loses 1 % changes nothing but the pace (I10)") {
  const temporary_folder folder;
  auto hosts = hosts_or_skip(3);
  running_nodes nodes(*hosts, folder, {0, 1, 2});
  hosts->set_all({.delay = std::chrono::milliseconds{50}, .loss = 0.01});
  process run(nodes.train(0, 30), folder.path());
  CHECK(run.wait(deadline) == 0);
  const auto report = report_in(folder);
  CHECK(report["weights_sha256"] == undisturbed_long_job(30));
  CHECK(report["restarts"] == 0);
  CHECK(hosts->network().lost() > 0);
  CHECK(nodes.are_free());
}
