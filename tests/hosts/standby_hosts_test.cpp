/// The leader's host gone or cut off, and a standby on another.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "tests/apps/standby.hpp"
#include "tests/hosts/running_hosts.hpp"

using namespace troupe::test;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr auto leader = 0;
constexpr auto other = 3;

/// Two nodes, a leader and its standby on a host each, in a run that goes on until it is stopped.
struct followed_run {
  followed_run()
    : hosts(hosts_or_skip(4)), nodes(*hosts, led, {1, 2}),
      standby(followed, {"--listen", test_hosts::address(other) + ":4243", "--insecure", "--ledger", "ledger"},
              hosts->inside(other, followed.path(), {})),
      run(nodes.train(leader, 10'000'000,
                      words{"--standby", standby.address, "--events", "events.jsonl"} + constant_rate),
          led.path()) {
    REQUIRE(gets_to(run, led, 50));
  }

  /// Stops what the standby leads; checks that it is what an undisturbed run comes to, and that every sample took
  /// effect once.
  void stop_and_check() {
    standby.started.send(SIGTERM);
    CHECK(standby.started.wait(deadline) == 0);
    INFO(standby.started.out() << standby.started.err());
    const auto report = report_in(followed);
    const temporary_folder folder;
    process alone(long_job(1, report["steps"], words{"--quiet"} + constant_rate), folder.path());
    REQUIRE(alone.wait(deadline) == 0);
    CHECK(report["weights_sha256"] == report_in(folder)["weights_sha256"]);
    process audit(command({"audit", "ledger"}), followed.path());
    CHECK(audit.wait(deadline) == 0);
    CHECK(nodes.are_free());
  }

  static inline const words constant_rate{"--schedule", "constant"};

  temporary_folder led, followed;
  std::unique_ptr<test_hosts> hosts;
  running_nodes nodes;
  running_standby standby;
  process run;
};

} // namespace

TEST_CASE("when the leader's host is gone without a word the standby's goes on (I1, I2, I8, I10)") {
  followed_run all;
  all.hosts->cut(leader); // as if its power failed
  all.hosts->kill(leader);
  const auto last = steps_in(all.led).back().first;
  CHECK(gets_to(all.standby.started, all.followed, last + 50));
  all.stop_and_check();
}

TEST_CASE("a leader that is cut off commits nothing once its standby leads, and ends when it hears of it (I2, I15)") {
  followed_run all;
  all.hosts->cut(leader);
  CHECK(gets_to(all.standby.started, all.followed, steps_in(all.led).back().first + 50));
  all.hosts->heal(leader);
  CHECK(all.run.wait(deadline) == 1);
  CHECK_THAT(all.run.err(), ContainsSubstring("another process leads this job by now"));
  CHECK(steps_in(all.led).back().second < steps_in(all.followed).front().second);
  all.stop_and_check();
}
