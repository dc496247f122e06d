/// Runs the command as a user does: real processes, real files, exit codes. Small jobs, so that each takes about a
/// second.

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

#include "tests/apps/command.hpp"

using namespace troupe::test;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

namespace {

struct outcome {
  int code = 0;
  std::string out;
  std::string err;
};

outcome run(const temporary_folder& folder, const words& arguments) {
  process started(command(arguments), folder.path());
  const auto code = started.wait(deadline);
  return {code, started.out(), started.err()};
}

/// A job of some twenty steps.
words small_job(const words& more = {}) {
  words all{"train", "--model", "mlp", "--batch",       "64",        "--micro-batch",
            "16",    "--steps", "20",  "--no-evaluate", "--threads", "1"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

nlohmann::json report_of(const temporary_folder& folder, words arguments) {
  arguments.insert(arguments.end(), {"--report", "report.json", "--quiet"});
  const auto result = run(folder, arguments);
  INFO(result.err);
  REQUIRE(result.code == 0);
  CHECK(result.out.empty());
  return report_in(folder);
}

std::string weights_of(const temporary_folder& folder, const words& arguments) {
  return report_of(folder, arguments)["weights_sha256"];
}

} // namespace

TEST_CASE("a job learns the digits and reports it") {
  const temporary_folder folder;
  const auto report = report_of(folder, {"train", "--model", "mlp", "--epochs", "1", "--agents", "2"});
  CHECK(report["stopped"] == "epochs done");
  CHECK(report["test_accuracy"].size() == 1);
  CHECK(report["test_accuracy"][0] > 0.8);
  CHECK(report["steps"] > 0);
  CHECK(report["weights_sha256"].get<std::string>().size() == 64);
  CHECK(report["restarts"] == 0);
  CHECK(report["dropped_messages"].is_number_unsigned());
}

TEST_CASE("in a pipe a run prints plain lines") {
  const temporary_folder folder;
  const auto result = run(folder, small_job());
  CHECK(result.code == 0);
  CHECK_THAT(result.out,
             StartsWith("mlp on digits") && ContainsSubstring("step 20/20") && ContainsSubstring("weights sha256 "));
  CHECK_THAT(result.out, !ContainsSubstring("\x1b"));
  CHECK(result.err.empty());
}

TEST_CASE("threads, processes and nodes train the same weights, and so does a second run") {
  const temporary_folder folder;
  const auto weights = weights_of(folder, small_job({"--agents", "2"}));
  CHECK(weights_of(folder, small_job({"--agents", "2"})) == weights);
  CHECK(weights_of(folder, small_job({"--agents", "2", "--isolation", "process"})) == weights);
  running_node one(folder);
  running_node two(folder);
  CHECK(weights_of(folder, small_job({"--agents", "2", "--nodes", one.address + ',' + two.address})) == weights);
  one.started.send(SIGTERM);
  CHECK(one.started.wait(deadline) == 0);
}

TEST_CASE("worker processes that are killed or stopped on purpose leave the weights as they were") {
  const temporary_folder folder;
  const auto weights = weights_of(folder, small_job({"--agents", "2"}));
  const auto with = [&](const std::string& fault) {
    return report_of(folder, small_job({"--agents", "2", "--isolation", "process", "--fault", fault}));
  };
  const auto killed = with("agent/1@step=5:kill-process");
  CHECK(killed["weights_sha256"] == weights);
  CHECK(killed["restarts"] == 1);
  const auto stopped = with("agent/0@step=5:stop-process=300ms");
  CHECK(stopped["weights_sha256"] == weights);
  CHECK(stopped["restarts"] == 0);
}

TEST_CASE("T5: a handler that does not return costs its process, once, and the weights are as they were") {
  const temporary_folder folder;
  const words job{"train",   "--model", "mlp",           "--batch",   "64", "--micro-batch", "16",
                  "--steps", "40",      "--no-evaluate", "--threads", "1",  "--agents",      "2"};
  auto disturbed = job;
  disturbed.insert(disturbed.end(),
                   {"--isolation", "process", "--handler-limit", "1", "--fault", "agent/1@step=20:stall=60s"});
  const auto report = report_of(folder, disturbed);
  CHECK(report["restarts"] == 1); // it does not strike the successor as well
  CHECK(report["weights_sha256"] == weights_of(folder, job));
}

TEST_CASE("another seed trains other weights") {
  const temporary_folder folder;
  CHECK(weights_of(folder, small_job({"--seed", "1"})) != weights_of(folder, small_job({"--seed", "2"})));
}

TEST_CASE(
  "Ctrl-C finishes the step, writes a checkpoint and ends well; --resume ends with the uninterrupted run's weights") {
  const temporary_folder folder;
  const words job{"train", "--model", "mlp", "--batch", "32", "--steps", "400", "--no-evaluate", "--threads", "1"};
  const auto with = [&](const words& more) {
    auto all = job;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  process interrupted(command(with({"--checkpoint", "kept"})), folder.path());
  REQUIRE(interrupted.wait_for_output("step 1/", deadline));
  interrupted.send(SIGINT);
  CHECK(interrupted.wait(deadline) == 0);
  CHECK_THAT(interrupted.out(), ContainsSubstring("interrupted after ") && ContainsSubstring("--resume"));
  const auto resumed = report_of(folder, with({"--checkpoint", "kept", "--resume"}));
  CHECK(resumed["stopped"] == "steps done");
  CHECK(resumed["weights_sha256"] == weights_of(folder, job));
}

TEST_CASE("--print-tree shows the tree and trains nothing") {
  const temporary_folder folder;
  const auto result = run(folder, {"train", "--agents", "2", "--print-tree", "--report", "report.json"});
  CHECK(result.code == 0);
  CHECK_THAT(result.out,
             ContainsSubstring("coordinator") && ContainsSubstring("agent/1") && !ContainsSubstring("loss"));
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("a job that cannot run is refused in one sentence with exit code 2, and nothing is written") {
  const temporary_folder folder;
  const auto weights = folder.with("weights.safetensors", "no weights");
  const auto refused = [&](const words& arguments, const std::string& part) {
    const auto before = std::distance(std::filesystem::directory_iterator(folder.path()), {});
    const auto result = run(folder, arguments);
    INFO(fmt::format("troupe {}", fmt::join(arguments, " ")));
    CHECK(result.code == 2);
    CHECK_THAT(result.err, StartsWith("troupe: ") && ContainsSubstring(part));
    CHECK(std::ranges::count(result.err, '\n') == 1);
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == before);
  };
  refused({"train", "--model", "vgg"}, "vgg");
  refused({"train", "--epoch", "1"}, "--epochs");
  refused({"train", "absent.toml"}, "absent.toml");
  refused({"train", "--data", "absent"}, "absent");
  refused({"train", "--data", "."}, "no data set");
  refused({"train", "--batch", "100", "--micro-batch", "32"}, "micro-batch");
  refused({"train", "--agents", "5", "--batch", "4"}, "agents");
  refused({"train", "--init", weights, "--export", "out.safetensors"}, "weights.safetensors");
  refused({"train", "--init", "absent.safetensors"}, "absent.safetensors");
  refused({"train", "--device", "tpu:0"}, "tpu:0");
  refused({"train", "--report", "absent/report.json"}, "absent/report.json");
  refused({"train", "--export", "absent/out.safetensors"}, "absent/out.safetensors");
  refused({"train", "--nodes", "127.0.0.1:1"}, "127.0.0.1:1");
  running_node one(folder);
  refused({"node", "--listen", one.address}, "in use");
  refused({"node", "--listen", "0.0.0.0:0"}, "0.0.0.0 can be reached from other machines");
}

TEST_CASE("a worker whose parent is gone ends by itself") {
  const temporary_folder folder;
  int pipe[2];
  REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0); // the worker must not hold the writing end
  ::fcntl(pipe[0], F_SETFD, 0);
  process worker(command({"node", "--parent-pipe", std::to_string(pipe[0])}), folder.path());
  ::close(pipe[0]);
  CHECK(worker.wait_for_output("node ready on 127.0.0.1:", deadline));
  worker.send(SIGINT); // the terminal's Ctrl-C is its parent's business
  ::close(pipe[1]);
  CHECK(worker.wait(deadline) == 0);
}
