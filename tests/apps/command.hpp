#pragma once

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

/// What tests that run the command share.
namespace troupe::test {

using words = std::vector<std::string>;

constexpr auto deadline = std::chrono::seconds{120};

/// `troupe` with these arguments.
inline words command(const words& arguments) {
  words all{TROUPE_COMMAND};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return all;
}

inline words operator+(words all, const words& more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// What a run with `--report report.json` wrote.
inline nlohmann::json report_in(const temporary_folder& folder) {
  return nlohmann::json::parse(text_of(folder / "report.json"));
}

/// A job of lenet that takes a second per thousand steps or so, and writes report.json; `undisturbed_long_job` knows
/// its weights.
inline words long_job(int agents, int steps, const words& more = {}) {
  return command({"train", "--model", "lenet", "--batch", "12", "--micro-batch", "4", "--threads", "1", "--epochs",
                  "1000", "--no-evaluate", "--report", "report.json", "--agents", std::to_string(agents), "--steps",
                  std::to_string(steps)}) +
         more;
}

/// The weights that a long job of one agent ends with when nothing goes wrong: those of any number of agents.
inline std::string undisturbed_long_job(int steps) {
  const temporary_folder folder;
  process run(long_job(1, steps, {"--quiet"}), folder.path());
  REQUIRE(run.wait(deadline) == 0);
  return report_in(folder)["weights_sha256"];
}

inline bool is_gone(pid_t process) {
  return ::kill(process, 0) != 0;
}

inline bool are_gone(const std::vector<pid_t>& processes) {
  return std::ranges::all_of(processes, is_gone);
}

/// Waits until `parent` has as many children as `before`, but others; false if it has none left or that takes too long.
inline bool children_changed(process& parent, const std::vector<pid_t>& before) {
  const auto others = [&] {
    const auto now = parent.children();
    return now.size() == before.size() && now != before;
  };
  return parent.wait_until([&] { return others() || parent.children().empty(); }, deadline) && others();
}

/// A node with two slots on a free port of this machine, and its address.
struct running_node {
  explicit running_node(const temporary_folder& folder, const words& environment = {}, const words& more = {})
    : started((environment.empty() ? words{} : words{"/usr/bin/env"} + environment) +
                command({"node", "--listen", "127.0.0.1:0", "--slots", "2"}) + more,
              folder.path()) {
    REQUIRE(started.wait_for_output("\n", deadline));
    const auto& line = started.out();
    address = line.substr(line.rfind(' ') + 1);
    address.pop_back();
  }
  process started;
  std::string address;
};

} // namespace troupe::test
