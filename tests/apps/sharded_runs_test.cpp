/// Agents that hold a part of the parameters each, in worker processes, here and on nodes: the weights are those of
/// parameter shards, whoever is killed.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "tests/apps/command.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

/// A job whose model has three blocks of parameters, with a micro-batch for each agent.
words job(const char* sync, int agents, int steps, const words& more = {}) {
  return command({"train",
                  "--model",
                  "mlp",
                  "--batch",
                  "12",
                  "--threads",
                  "1",
                  "--epochs",
                  "1000",
                  "--sync",
                  sync,
                  "--no-evaluate",
                  "--lr",
                  "0.01",
                  "--micro-batch",
                  std::to_string(12 / agents),
                  "--agents",
                  std::to_string(agents),
                  "--steps",
                  std::to_string(steps),
                  "--report",
                  "report.json"}) +
         more;
}

words sharded(int agents, int steps, const words& more = {}) {
  return job("sharded", agents, steps, more);
}

/// The weights that parameter shards end with.
std::string undisturbed(int agents, int steps) {
  const temporary_folder folder;
  process run(job("ps", agents, steps, {"--quiet"}), folder.path());
  REQUIRE(run.wait(deadline) == 0);
  return report_in(folder)["weights_sha256"];
}

std::string audit(const temporary_folder& folder) {
  process run({TROUPE_COMMAND, "audit", "kept"}, folder.path());
  CHECK(run.wait(deadline) == 0);
  return run.out();
}

} // namespace

TEST_CASE("in worker processes and on two nodes the weights are those of parameter shards, and the bytes those of the "
          "formula (I10)") {
  constexpr auto steps = 40;
  const temporary_folder folder;
  running_node one(folder);
  running_node two(folder);
  for (const int agents : {2, 3}) {
    const auto wanted = undisturbed(agents, steps);
    for (const auto& where : {words{"--isolation", "process"}, words{"--nodes", one.address + "," + two.address}}) {
      process run(sharded(agents, steps, words{"--quiet"} + where), folder.path());
      CHECK(run.wait(deadline) == 0);
      INFO(agents << " agents, " << where.front() << ": " << run.err());
      const auto report = report_in(folder);
      CHECK(report["weights_sha256"] == wanted);
      CHECK(report["restarts"] == 0);
      // Gradients and parameters of all others, and for each shard its sums to a replica.
      const auto formula = 4.0 * steps * (2 * (agents - 1) + 1) * report["parameters"].get<double>();
      CHECK(report["sent_bytes"].get<double>() >= formula);
      CHECK(report["sent_bytes"].get<double>() <= 1.05 * formula);
    }
  }
}

TEST_CASE("a shard holder that fails in place in its process costs not one bit, and the run does not go back") {
  const temporary_folder folder;
  process run(sharded(3, 40,
                      {"--isolation", "process", "--fault", "shard_holder/1@step=10:exception", "--fault",
                       "agent/2@step=20:exception"}),
              folder.path());
  REQUIRE(run.wait(deadline) == 0);
  CHECK_THAT(run.out(), ContainsSubstring("shard_holder/1 #1 of training/shards failed") &&
                          ContainsSubstring("training/shards replaces its state") && !ContainsSubstring("goes back"));
  CHECK(report_in(folder)["restarts"] == 2);
  CHECK(report_in(folder)["weights_sha256"] == undisturbed(3, 40));
}

TEST_CASE(
  "T5: a worker process that is killed takes an agent and its part of the parameters with it: that goes on elsewhere "
  "(I1, I9, I10)") {
  constexpr auto steps = 300;
  const temporary_folder folder;
  process run(sharded(3, steps, {"--isolation", "process", "--checkpoint", "kept", "--checkpoint-every", "20"}),
              folder.path());
  REQUIRE(run.wait_for_output("step 1/", deadline));
  const auto workers = run.children();
  REQUIRE(workers.size() == 3);
  ::kill(workers[1], SIGKILL);
  CHECK(children_changed(run, workers));
  const auto last = run.children();
  CHECK(run.wait(deadline) == 0);
  CHECK_THAT(run.out(), ContainsSubstring("agent/1 #1 of training/agents ended: its process") &&
                          ContainsSubstring(" #1 of training/shards ended: its process"));
  CHECK(report_in(folder)["restarts"] >= 2); // the agent, and what was beside it
  CHECK(report_in(folder)["weights_sha256"] == undisturbed(3, steps));
  CHECK(are_gone(workers));
  CHECK(are_gone(last));
  CHECK_THAT(audit(folder), ContainsSubstring(fmt::format("{} samples: missing 0, doubled 0", steps * 12)));
}

TEST_CASE("a worker process that is wanted back lets its agent go, and stays until its part of the parameters has "
          "moved") {
  constexpr auto steps = 300;
  const temporary_folder folder;
  process run(sharded(3, steps, {"--isolation", "process"}), folder.path());
  REQUIRE(run.wait_for_output("step 1/", deadline));
  const auto workers = run.children();
  REQUIRE(workers.size() == 3);
  ::kill(workers[1], SIGTERM);
  REQUIRE(run.wait_for_output("agent/1 has left the run", deadline));
  CHECK(run.wait(deadline) == 0);
  CHECK_THAT(run.err(), ContainsSubstring(" holds a part of the parameters of job"));
  CHECK_THAT(run.out(), !ContainsSubstring("goes back") && ContainsSubstring(" of training/shards ended: normal"));
  CHECK(report_in(folder)["weights_sha256"] == undisturbed(3, steps));
  CHECK(are_gone(workers));
}

TEST_CASE("a worker process whose agent has left, and that is killed, is replaced for its part of the parameters") {
  constexpr auto steps = 300;
  const temporary_folder folder;
  process run(sharded(3, steps, {"--isolation", "process"}), folder.path());
  REQUIRE(run.wait_for_output("step 1/", deadline));
  const auto workers = run.children();
  REQUIRE(workers.size() == 3);
  ::kill(workers[2], SIGTERM);
  REQUIRE(run.wait_for_output("agent/2 has left the run", deadline));
  ::kill(workers[2], SIGKILL);
  CHECK(run.wait(deadline) == 0);
  CHECK_THAT(run.out(), !ContainsSubstring("agent/2 #1 of training/agents ended")); // it does not come back
  CHECK(report_in(folder)["weights_sha256"] == undisturbed(3, steps));
}

TEST_CASE("a node that is asked to end says what it waits for, and ends with the run") {
  const temporary_folder folder;
  running_node stays(folder);
  running_node goes(folder);
  process run(sharded(2, 300, {"--nodes", stays.address + "," + goes.address}), folder.path());
  REQUIRE(run.wait_for_output("step 1/", deadline));
  goes.started.send(SIGTERM);
  REQUIRE(run.wait_for_output("agent/1 has left the run", deadline));
  CHECK_FALSE(is_gone(goes.started.pid()));
  CHECK(run.wait(deadline) == 0);
  CHECK(goes.started.wait(deadline) == 0);
  CHECK_THAT(goes.started.err(), ContainsSubstring("finish what they have begun and leave") &&
                                   ContainsSubstring(" holds a part of the parameters"));
  CHECK(report_in(folder)["weights_sha256"] == undisturbed(2, 300));
}

TEST_CASE("20 kills of worker processes that hold a part each: nothing is missing and nothing doubled (I1, I10)") {
  const temporary_folder folder;
  for (int life = 1; life <= 3; ++life) {
    words more{"--isolation", "process", "--checkpoint", "kept", "--checkpoint-every", "7", "--resume", "--quiet"};
    for (int kill = 0; kill < 7; ++kill)
      if (life < 3 || kill < 6) {
        more.emplace_back("--fault");
        more.push_back(fmt::format("agent/{}@step={}:kill-process", kill % 2, 40 * (life - 1) + 3 + 5 * kill));
      }
    process run(sharded(2, 40 * life, more), folder.path());
    INFO(run.err());
    REQUIRE(run.wait(deadline) == 0);
    CHECK(report_in(folder)["restarts"] >= (life < 3 ? 14 : 12));
  }
  CHECK_THAT(audit(folder),
             ContainsSubstring("120 steps, ") && ContainsSubstring("1440 samples: missing 0, doubled 0\n"));
}
