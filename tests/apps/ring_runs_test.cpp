/// Rings of agents in worker processes, here and on nodes: the weights are those of the same ring in threads.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cmath>
#include <cstring>

#include "tests/apps/command.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

/// A job whose weights do not run apart where sums are in another order; about 200 steps a second.
words ring_job(int agents, int steps, const words& more = {}, const std::string& sync = "ring") {
  return command({"train",       "--model",
                  "lenet",       "--batch",
                  "120",         "--micro-batch",
                  "20",          "--threads",
                  "1",           "--epochs",
                  "1000",        "--no-evaluate",
                  "--optimizer", "sgd",
                  "--lr",        "0.01",
                  "--sync",      sync,
                  "--report",    "report.json",
                  "--export",    "weights.safetensors",
                  "--agents",    std::to_string(agents),
                  "--steps",     std::to_string(steps)}) +
         more;
}

std::vector<float> weights_in(const temporary_folder& folder) {
  const auto text = text_of(folder / "weights.safetensors");
  uint64_t header = 0;
  std::memcpy(&header, text.data(), sizeof(header));
  const auto begin = sizeof(header) + header;
  std::vector<float> result((text.size() - begin) / sizeof(float));
  std::memcpy(result.data(), text.data() + begin, result.size() * sizeof(float));
  return result;
}

/// Relative L2 distance.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double apart = 0;
  double all = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    apart += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    all += double{a[i]} * a[i];
  }
  return std::sqrt(apart / all);
}

struct ended {
  std::string sha256;
  std::vector<float> weights;
  uint64_t lent_bytes = 0; // by processes to others of this host
  uint64_t sent_instead = 0;
};

ended undisturbed(int agents, int steps, const words& more = {}) {
  const temporary_folder folder;
  process run(ring_job(agents, steps, words{"--quiet"} + more), folder.path());
  INFO(run.err());
  REQUIRE(run.wait(deadline) == 0);
  REQUIRE(report_in(folder)["restarts"] == 0);
  const auto shared = report_in(folder)["shared_memory"];
  return {report_in(folder)["weights_sha256"], weights_in(folder), shared["lent_bytes"], shared["tensors_not_lent"]};
}

} // namespace

TEST_CASE("a ring in worker processes and on two nodes ends with the bits of the same ring in threads (I10)") {
  const temporary_folder folder;
  running_node one(folder);
  running_node two(folder);
  for (int agents : {2, 3}) {
    const auto threads = undisturbed(agents, 40);
    CHECK(threads.lent_bytes == 0);
    for (const auto& where : {words{"--isolation", "process"}, words{"--nodes", one.address + "," + two.address}}) {
      const auto processes = undisturbed(agents, 40, where);
      CHECK(processes.sha256 == threads.sha256);
      CHECK(processes.lent_bytes > 0);
      CHECK(processes.sent_instead == 0);
    }
  }
}

TEST_CASE("a ring peer that fails in place in its process, and a coordinator that does, cost a ring not one bit") {
  const auto threads = undisturbed(3, 40);
  const temporary_folder folder;
  process run(ring_job(3, 40,
                       {"--isolation", "process", "--fault", "ring_peer/1@step=10:exception", "--fault",
                        "coordinator/0@step=20:exception"}),
              folder.path());
  REQUIRE(run.wait(deadline) == 0);
  CHECK_THAT(run.out(), ContainsSubstring("ring_peer/1 #1 of training/peers failed") &&
                          ContainsSubstring("training/peers replaces its state") && !ContainsSubstring("goes back"));
  CHECK(report_in(folder)["restarts"] == 2);
  CHECK(report_in(folder)["weights_sha256"] == threads.sha256);
}

TEST_CASE("T5: a worker process of a ring that is killed takes agent and peer with it, and both come back (I9, I10)") {
  constexpr auto steps = 300;
  const temporary_folder folder;
  process run(ring_job(3, steps, {"--isolation", "process"}), folder.path());
  REQUIRE(run.wait_for_output("step 1/", deadline));
  const auto workers = run.children();
  REQUIRE(workers.size() == 3);
  ::kill(workers[1], SIGKILL);
  CHECK(children_changed(run, workers));
  const auto last = run.children();
  CHECK(run.wait(deadline) == 0);
  CHECK_THAT(run.out(), ContainsSubstring("agent/1 #1 of training/agents ended: its process") &&
                          ContainsSubstring("ring_peer/1 #1 of training/peers ended: its process") &&
                          !ContainsSubstring("goes back"));
  CHECK(report_in(folder)["restarts"] == 2);
  CHECK(distance(weights_in(folder), undisturbed(3, steps).weights) < 1e-5);
  CHECK(are_gone(workers));
  CHECK(are_gone(last));
}

TEST_CASE("a ring peer that ends for good ends its process: the agent in it comes back with it (R12)") {
  const temporary_folder folder;
  process run(ring_job(2, 60, {"--isolation", "process", "--fault", "ring_peer/1@step=20:kill"}), folder.path());
  REQUIRE(run.wait(deadline) == 0);
  CHECK_THAT(run.out(),
             ContainsSubstring("agent/1 #1 of training/agents ended: its process was ended, since ring_peer/1"));
  CHECK(report_in(folder)["restarts"] == 2);
  CHECK(distance(weights_in(folder), undisturbed(2, 60).weights) < 1e-5);
}

TEST_CASE("a worker process of a ring that is wanted back leaves in order, agent and peer") {
  constexpr auto steps = 300;
  const temporary_folder folder;
  process run(ring_job(3, steps, {"--isolation", "process"}), folder.path());
  REQUIRE(run.wait_for_output("step 1/", deadline));
  const auto workers = run.children();
  REQUIRE(workers.size() == 3);
  ::kill(workers[0], SIGTERM);
  CHECK(run.wait_until([&] { return is_gone(workers[0]); }, 10s));
  CHECK(run.wait(deadline) == 0);
  CHECK_THAT(run.out(), ContainsSubstring("agent/0 has left the run"));
  CHECK(report_in(folder)["restarts"] == 0);
  CHECK(report_in(folder)["steps"] == steps);
  CHECK(distance(weights_in(folder), undisturbed(3, steps).weights) < 1e-5);
}

TEST_CASE(
  "--reproducible: rings in processes end with the bits of parameter shards, whoever dies, joins or leaves (I10)") {
  constexpr auto steps = 300;
  const words reproducible{"--reproducible", "--quiet"};
  const temporary_folder shards;
  process wanted(ring_job(1, steps, reproducible, "ps"), shards.path());
  REQUIRE(wanted.wait(deadline) == 0);
  const std::string sha256 = report_in(shards)["weights_sha256"];
  for (int agents : {1, 2, 3, 4, 6}) {
    INFO(agents << " agents");
    CHECK(undisturbed(agents, 300, {"--reproducible", "--isolation", "process"}).sha256 == sha256);
  }

  const temporary_folder folder;
  auto job = ring_job(3, steps, {"--reproducible", "--isolation", "process"});
  *std::ranges::find(job, "3") = "2..3"; // the third joins as it comes
  process run(job, folder.path());
  REQUIRE(run.wait_for_output("step 1/", deadline));
  const auto workers = run.children();
  REQUIRE(workers.size() >= 2);
  ::kill(workers[1], SIGKILL);
  CHECK(children_changed(run, workers));
  ::kill(workers[0], SIGTERM);
  CHECK(run.wait_until([&] { return is_gone(workers[0]); }, 10s));
  CHECK(run.wait(deadline) == 0);
  CHECK_THAT(run.out(), ContainsSubstring("agent/0 has left the run"));
  CHECK(report_in(folder)["steps"] == steps);
  CHECK(report_in(folder)["weights_sha256"] == sha256);
}
