/// Shards of the data set that worker processes hold, here and on nodes without the data: the weights are those of
/// agents that have all of it at hand, whoever is killed, comes or goes.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>
#include <fstream>

#include "tests/apps/command.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

namespace fs = std::filesystem;

constexpr uint32_t side = 8;
constexpr uint32_t samples = 600;
constexpr uint64_t stored = samples * (side * side + 4); // bytes of all samples with their labels

void write_idx(const fs::path& file, const std::vector<uint32_t>& dims, const std::string& content) {
  std::ofstream out{file, std::ios::binary};
  out << '\0' << '\0' << '\x08' << static_cast<char>(dims.size());
  for (const auto dim : dims)
    for (const auto shift : {24u, 16u, 8u, 0u})
      out << static_cast<char>(dim >> shift & 0xff);
  out << content;
}

/// A data set of IDX files in the folder's "data": one image looks like another, and no two are the same.
void write_data(const temporary_folder& folder, uint32_t salt = 1) {
  fs::create_directory(folder / "data");
  for (const auto& [name, n] : {std::pair{"train", samples}, {"t10k", 60u}}) {
    std::string pixels;
    std::string labels;
    for (uint32_t i = 0; i < n; ++i) {
      labels += static_cast<char>(i % 10);
      for (uint32_t j = 0; j < side * side; ++j)
        pixels += static_cast<char>((i * 7919 + j * 104729 * salt + i * j * 31) >> 3 & 0xff);
    }
    write_idx(folder.path() / "data" / fmt::format("{}-images-idx3-ubyte", name), {n, side, side}, pixels);
    write_idx(folder.path() / "data" / fmt::format("{}-labels-idx1-ubyte", name), {n}, labels);
  }
}

/// 50 steps an epoch; with 3 agents a micro-batch each, whose samples are all of one shard.
words job(const char* exchange, const char* agents, int steps, const words& more = {}) {
  return command(
           {"train",         "--model",    "mlp",       "--data",   "data",       "--batch", "12",
            "--micro-batch", "4",          "--threads", "1",        "--lr",       "0.01",    "--epochs",
            "1000",          "--exchange", exchange,    "--agents", agents,       "--steps", std::to_string(steps),
            "--no-evaluate", "--ledger",   "kept",      "--report", "report.json"}) +
         more;
}

const words processes{"--isolation", "process"};

/// The weights of agents in threads, which have the whole set.
std::string weights_of_threads(const char* exchange, const char* agents, int steps) {
  const temporary_folder folder;
  write_data(folder);
  process run(job(exchange, agents, steps, {"--quiet"}), folder.path());
  REQUIRE(run.wait(deadline) == 0);
  return report_in(folder)["weights_sha256"];
}

std::string audit(const temporary_folder& folder) {
  process run({TROUPE_COMMAND, "audit", "kept"}, folder.path());
  CHECK(run.wait(deadline) == 0);
  return run.out();
}

/// The shards in a folder.
std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> result;
  for (const auto& entry : fs::directory_iterator{folder})
    result.push_back(entry.path());
  std::ranges::sort(result);
  return result;
}

} // namespace

TEST_CASE("worker processes hold shards and hand them on, and one that is killed when the data is gone gets its shard "
          "back (I1, I10)") {
  constexpr int steps = 500;
  for (const auto* exchange : {"static", "rotate"}) {
    INFO(exchange);
    const temporary_folder folder;
    write_data(folder);
    process run(job(exchange, "3", steps, processes), folder.path());
    REQUIRE(run.wait_for_output("step 1/", deadline));
    fs::remove_all(folder / "data");
    const auto workers = run.children();
    REQUIRE(workers.size() == 3);
    ::kill(workers[1], SIGKILL);
    CHECK(children_changed(run, workers));
    CHECK(run.wait(deadline) == 0);
    const auto report = report_in(folder);
    CHECK(report["weights_sha256"] == weights_of_threads(exchange, "3", steps));
    CHECK(report["restarts"] == 2); // the agent, and its keeper
    CHECK_THAT(audit(folder), ContainsSubstring("missing 0, doubled 0"));
    CHECK(report["data"]["from_source_bytes"] >= stored * 2 / 3); // what the one that died had counted is gone
    CHECK((report["data"]["from_peers_bytes"] > 0) == (std::string{exchange} == "rotate"));
    CHECK(report["data"]["most_held_bytes"] >= stored / 3);
  }
}

TEST_CASE("workers of a node that has no data are sent what they need, also for evaluation") {
  const temporary_folder elsewhere;
  running_node node(elsewhere);
  const temporary_folder folder;
  write_data(folder);
  const words evaluated{"train",    "--model",    "mlp",       "--data",   "data",       "--batch", "12",
                        "--epochs", "4",          "--threads", "1",        "--lr",       "0.01",    "--agents",
                        "2",        "--exchange", "rotate",    "--report", "report.json"};
  process run(command(evaluated + words{"--nodes", node.address}), folder.path());
  CHECK(run.wait(deadline) == 0);
  const auto there = report_in(folder);
  process here(command(evaluated), folder.path());
  CHECK(here.wait(deadline) == 0);
  const auto report = report_in(folder);
  CHECK(there["weights_sha256"] == report["weights_sha256"]);
  CHECK(there["test_accuracy"] == report["test_accuracy"]);
  CHECK(report["data"]["from_source_bytes"] == 0);
}

TEST_CASE("agents that join and leave change no bit where shards are held apart (I10)") {
  constexpr int steps = 500;
  const temporary_folder folder;
  write_data(folder);
  process run(job("rotate", "1..3", steps, processes), folder.path());
  REQUIRE(run.wait_for_output("step 1/", deadline));
  REQUIRE(run.wait_until([&] { return run.children().size() == 3; }, deadline));
  ::kill(run.children()[0], SIGTERM);
  CHECK(run.wait(deadline) == 0);
  CHECK(report_in(folder)["weights_sha256"] == weights_of_threads("rotate", "3", steps));
  CHECK_THAT(audit(folder), ContainsSubstring("missing 0, doubled 0"));
}

TEST_CASE("shards in files are used again, and what is damaged or of another data set is fetched anew, and said so") {
  constexpr int steps = 200;
  const temporary_folder folder;
  write_data(folder);
  const auto in_files = processes + words{"--shard-dir", "shards"};
  const auto run_once = [&](const char* exchange) {
    process run(job(exchange, "3", steps, in_files), folder.path());
    CHECK(run.wait(deadline) == 0);
    fs::remove_all(folder / "kept");
    return run.err();
  };
  const auto weights = weights_of_threads("static", "3", steps);

  CHECK(run_once("static").empty());
  CHECK(report_in(folder)["weights_sha256"] == weights);
  CHECK(report_in(folder)["data"]["from_source_bytes"] == stored);
  const auto files = files_in(folder.path() / "shards");
  REQUIRE(files.size() == 3);
  CHECK(files[0].filename() == "sample_keeper-0.shard-0-of-3");

  CHECK(run_once("static").empty());
  CHECK(report_in(folder)["weights_sha256"] == weights);
  CHECK(report_in(folder)["data"]["from_source_bytes"] == 0);

  std::fstream{files[0], std::ios::in | std::ios::out | std::ios::binary}.seekp(2000).put('!');
  fs::resize_file(files[1], 100);
  const auto said = run_once("static");
  CHECK_THAT(said, ContainsSubstring("shard-0-of-3 is damaged") && ContainsSubstring("it is fetched anew"));
  CHECK_THAT(said, ContainsSubstring("shard-1-of-3 has 100 bytes"));
  CHECK(report_in(folder)["weights_sha256"] == weights);
  CHECK(report_in(folder)["data"]["from_source_bytes"] == stored / 3 * 2);

  fs::remove_all(folder / "data");
  write_data(folder, 5);
  CHECK_THAT(run_once("static"),
             ContainsSubstring("shard-2-of-3 holds samples of another data set; it is fetched anew"));
  CHECK(report_in(folder)["weights_sha256"] != weights);
  CHECK(report_in(folder)["data"]["from_source_bytes"] == stored);

  fs::remove_all(folder / "data");
  fs::remove_all(folder / "shards");
  write_data(folder);
  CHECK(run_once("rotate").empty());
  CHECK(report_in(folder)["weights_sha256"] == weights_of_threads("rotate", "3", steps));
  CHECK(files_in(folder.path() / "shards").size() <= 9); // of each agent three at most
}
