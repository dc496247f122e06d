/// Runs over several hosts, with nothing going wrong.

#include <catch2/catch_test_macros.hpp>

#include "tests/hosts/running_hosts.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;

TEST_CASE("agents on three hosts end with the weights of one machine, and leave no process and no socket behind (I9, "
          "I10)") {
  const temporary_folder folder;
  auto hosts = hosts_or_skip(3);
  running_nodes nodes(*hosts, folder, {0, 1, 2});
  const auto sockets = nodes.sockets();
  process run(nodes.train(0, 300), folder.path());
  CHECK(run.wait(deadline) == 0);
  CHECK(report_in(folder)["weights_sha256"] == undisturbed_long_job(300));
  CHECK(nodes.are_free());
  CHECK(run.wait_until([&] { return nodes.sockets() == sockets; }, deadline));
  CHECK(hosts->network().passed() > 0);
}

TEST_CASE("processes of different hosts do not share memory") {
  const temporary_folder folder;
  auto hosts = hosts_or_skip(2);
  running_nodes nodes(*hosts, folder, {1});
  process run(nodes.train(0, 20), folder.path());
  CHECK(run.wait(deadline) == 0);
  CHECK(report_in(folder)["shared_memory"]["lent_bytes"] == 0);
}
