/// Aggregators in worker processes, here and on nodes, and real kills: the weights are those of parameter shards.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "tests/apps/command.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("aggregators beside agents in worker processes and on two nodes end with the bits of parameter shards, and "
          "only sums pass from a group to the leader (I10)") {
  constexpr auto steps = 200;
  const auto wanted = undisturbed_long_job(steps);
  const temporary_folder folder;
  running_node one(folder);
  running_node two(folder);
  for (const auto& where : {words{"--isolation", "process"}, words{"--nodes", one.address + "," + two.address}}) {
    process run(long_job(3, steps, words{"--quiet", "--sync", "tree", "--fan-in", "3"} + where), folder.path());
    INFO(run.err());
    REQUIRE(run.wait(deadline) == 0);
    const auto report = report_in(folder);
    CHECK(report["weights_sha256"] == wanted);
    CHECK(report["restarts"] == 0);
    CHECK(report["received_bytes"].get<double>() < 1.05 * 4 * report["parameters"].get<double>() * steps);
  }
}

TEST_CASE(
  "T5: a worker process that is killed takes agent and aggregator with it, and both come back, one here (I10)") {
  constexpr auto steps = 2000;
  const temporary_folder folder;
  process run(long_job(3, steps, {"--isolation", "process", "--sync", "tree", "--fan-in", "2", "--checkpoint", "kept"}),
              folder.path());
  REQUIRE(run.wait_for_output("step 1/", deadline));
  auto kills = 0;
  for (; kills < 3; ++kills) {
    const auto workers = run.children();
    REQUIRE(workers.size() == 3);
    ::kill(workers[static_cast<size_t>(kills)], SIGKILL);
    if (!children_changed(run, workers))
      break;
  }
  REQUIRE(kills >= 2);
  const auto last = run.children();
  CHECK(run.wait(deadline) == 0);
  CHECK_THAT(run.out(), ContainsSubstring("aggregator/0 #1 of training/aggregators ended: its process"));
  const auto report = report_in(folder);
  CHECK(report["weights_sha256"] == undisturbed_long_job(steps));
  CHECK(report["restarts"] >= kills + 1);
  CHECK(are_gone(last)); // I9
  process audit({TROUPE_COMMAND, "audit", "kept"}, folder.path());
  CHECK(audit.wait(deadline) == 0);
  CHECK_THAT(audit.out(), ContainsSubstring(" samples: missing 0, doubled 0\n"));
}

TEST_CASE("20 kills of aggregators and of agents' processes leave nothing missing and nothing doubled (I1)") {
  constexpr auto steps = 120;
  const temporary_folder folder;
  words more{"--isolation", "process", "--sync", "tree", "--fan-in", "2", "--checkpoint", "kept", "--quiet"};
  for (int kill = 0; kill < 10; ++kill) {
    more.emplace_back("--fault");
    more.push_back(fmt::format("agent/{}@step={}:kill-process", kill % 3, 3 + 11 * kill));
    more.emplace_back("--fault");
    more.push_back(fmt::format("aggregator/{}@step={}:kill", kill % 2 * 2, 8 + 11 * kill));
  }
  process run(long_job(3, steps, more), folder.path());
  INFO(run.err());
  REQUIRE(run.wait(deadline) == 0);
  CHECK(report_in(folder)["restarts"] >= 20);
  CHECK(report_in(folder)["weights_sha256"] == undisturbed_long_job(steps));
  process audit({TROUPE_COMMAND, "audit", "kept"}, folder.path());
  CHECK(audit.wait(deadline) == 0);
  CHECK_THAT(audit.out(), ContainsSubstring(" samples: missing 0, doubled 0\n"));
}

TEST_CASE("a worker process that is wanted back leaves in order: its aggregator goes on with the leader") {
  constexpr auto steps = 2000;
  const temporary_folder folder;
  process run(long_job(3, steps, {"--isolation", "process", "--sync", "tree", "--fan-in", "3"}), folder.path());
  REQUIRE(run.wait_for_output("step 1/", deadline));
  const auto workers = run.children();
  REQUIRE(workers.size() == 3);
  ::kill(workers[0], SIGTERM);
  CHECK(run.wait_until([&] { return is_gone(workers[0]); }, 10s));
  CHECK(run.wait(deadline) == 0);
  CHECK_THAT(run.out(), ContainsSubstring("agent/0 has left the run"));
  CHECK(report_in(folder)["restarts"] == 1); // the aggregator
  CHECK(report_in(folder)["steps"] == steps);
  CHECK(report_in(folder)["weights_sha256"] == undisturbed_long_job(steps));
}
