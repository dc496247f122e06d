#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>
#include <fmt/format.h>
#include <iterator>
#include <nlohmann/json.hpp>

#include "apps/troupe/options.hpp"
#include "apps/troupe/report.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace troupe;
using namespace troupe::command;
using Catch::Matchers::ContainsSubstring;
using troupe::test::temporary_folder;
using troupe::test::text_of;

namespace {

job_options parsed(std::vector<const char*> words) {
  words.insert(words.begin(), "train");
  return std::get<train>(parse(words).value()).job;
}

/// The options of a report as a job file: JSON's scalars and arrays are TOML's too.
std::string job_file_of(const nlohmann::ordered_json& options) {
  std::string text;
  for (const auto& [key, value] : options.items())
    text += fmt::format("{} = {}\n", key, value.dump());
  return text;
}

} // namespace

TEST_CASE("a report has every figure of the run") {
  job_report run;
  run.reason = stop_reason::target_reached;
  run.steps = 40;
  run.samples = 5120;
  run.seconds = 2.5;
  run.training_seconds = 2;
  run.samples_per_second = 2560;
  run.seconds_to_first_step = 0.1;
  run.train_loss = {{10, 2.25}, {20, 1.5}};
  run.test_accuracy = {0.5, 0.75};
  run.weights_sha256 = "ab12";
  run.restarts = 1;
  run.dropped_messages = 2;
  run.parameters = 61706;
  run.tree = "root\n";
  const auto report = report_of({}, run, {.process = 1 << 20, .children = 1 << 21});
  CHECK(report["stopped"] == "target reached");
  CHECK(report["steps"] == 40);
  CHECK(report["samples"] == 5120);
  CHECK(report["seconds"] == 2.5);
  CHECK(report["training_seconds"] == 2.0);
  CHECK(report["samples_per_second"] == 2560.0);
  CHECK(report["seconds_to_first_step"] == 0.1);
  CHECK(report["train_loss"].dump() == "[[10,2.25],[20,1.5]]");
  CHECK(report["test_accuracy"].dump() == "[0.5,0.75]");
  CHECK(report["weights_sha256"] == "ab12");
  CHECK(report["restarts"] == 1);
  CHECK(report["dropped_messages"] == 2);
  CHECK(report["parameters"] == 61706);
  CHECK(report["peak_rss"]["process"] == 1 << 20);
  CHECK(report["peak_rss"]["largest_worker"] == 1 << 21);
  CHECK(report["tree"] == "root\n");
}

TEST_CASE("the options in a report, as a job file, describe the same job") {
  const temporary_folder folder;
  for (const auto& job : {parsed({}), parsed({"--optimizer",
                                              "adamw",
                                              "--lr",
                                              "0.003",
                                              "--schedule",
                                              "cosine",
                                              "--agents",
                                              "2",
                                              "--nodes",
                                              "a:1,b:2",
                                              "--wait-for-nodes",
                                              "0",
                                              "--micro-batch",
                                              "8",
                                              "--no-augment",
                                              "--precision",
                                              "bf16",
                                              "--init",
                                              "a b.safetensors",
                                              "--seed",
                                              "9007199254740993",
                                              "--target-accuracy",
                                              "0.97",
                                              "--isolation",
                                              "process"})}) {
    const auto options = report_of(job, {}, {})["options"];
    const auto file = folder.with("job.toml", job_file_of(options));
    const auto again = parsed({file.c_str()});
    CHECK(report_of(again, {}, {})["options"].dump() == options.dump());
    CHECK(again.optimizer.learning_rate == job.optimizer.learning_rate);
    CHECK(again.init == job.init);
    CHECK(again.nodes == job.nodes);
    CHECK(again.wait_for_nodes == job.wait_for_nodes);
    CHECK(again.seed == job.seed);
  }
}

TEST_CASE("this process has used memory") {
  CHECK(measure_peak_memory().process > 1 << 20);
}

TEST_CASE("a report replaces an old one and leaves nothing beside it") {
  const temporary_folder folder;
  const auto path = folder.with("report.json", "old");
  REQUIRE(write_report(path, {{"steps", 3}}));
  CHECK(text_of(path) == "{\n  \"steps\": 3\n}\n");
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("a report that cannot be written is refused with its path and leaves nothing") {
  const temporary_folder folder;
  CHECK_THAT(can_write(folder / "absent/report.json").error().sentence,
             ContainsSubstring("cannot write") && ContainsSubstring("absent/report.json: No such file or directory"));
  CHECK_THAT(can_write(folder.path().string()).error().sentence, ContainsSubstring("Is a directory"));
  CHECK(can_write(folder / "report.json"));
  CHECK(can_write("report.json"));
  std::filesystem::create_directory(folder / "taken");
  CHECK_THAT(write_report(folder / "taken", {}).error().sentence, ContainsSubstring("taken"));
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}
