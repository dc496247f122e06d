#pragma once

#include <fstream>
#include <utility>

#include "tests/apps/command.hpp"

/// What tests of a leader and its standby share.
namespace troupe::test {

/// `troupe standby` with files in a folder of its own: report.json, events.jsonl.
struct running_standby {
  /// `where`: the words that run a command there; empty: here.
  explicit running_standby(const temporary_folder& folder, const words& more = {}, const words& where = {})
    : started(where + command({"standby", "--report", "report.json", "--events", "events.jsonl"}) + more,
              folder.path()) {
    const bool ready = started.wait_for_output("\n", deadline);
    INFO(started.err());
    REQUIRE(ready);
    const auto& line = started.out();
    address = line.substr(line.rfind(' ') + 1);
    address.pop_back();
  }
  process started;
  std::string address;
};

/// Steps that a run has committed so far, and when, by the events in its folder.
inline std::vector<std::pair<uint64_t, double>> steps_in(const temporary_folder& folder) {
  std::vector<std::pair<uint64_t, double>> result;
  std::ifstream file(folder / "events.jsonl");
  for (std::string line; std::getline(file, line) && !file.eof();)
    if (const auto event = nlohmann::json::parse(line); event["event"] == "step")
      result.emplace_back(event["step"], event["time"]);
  return result;
}

/// Whether a run comes to have committed so many steps.
inline bool gets_to(process& run, const temporary_folder& folder, uint64_t step) {
  return run.wait_until(
    [&] {
      const auto seen = steps_in(folder);
      return !seen.empty() && seen.back().first >= step;
    },
    deadline);
}

} // namespace troupe::test
