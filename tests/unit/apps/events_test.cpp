#include "apps/troupe/events.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/temporary_folder.hpp"

using namespace troupe;
using namespace troupe::command;
using Catch::Matchers::ContainsSubstring;
using troupe::test::temporary_folder;
using troupe::test::text_of;

namespace {

std::vector<nlohmann::json> events_in(const std::string& path) {
  std::vector<nlohmann::json> result;
  std::istringstream lines(text_of(path));
  for (std::string line; std::getline(lines, line);)
    result.push_back(nlohmann::json::parse(line));
  return result;
}

} // namespace

TEST_CASE("each event is a line that can be read at once, in place of what was in the file") {
  const temporary_folder folder;
  const auto path = folder.with("events.jsonl", "old\n");
  auto log = event_log::open(path);
  REQUIRE(log);
  log->write(run_event{run_event::kind::new_view, {}, 2, "agent/0 #1, agent/1 #1"});
  log->write(step_progress{.step = 7});
  log->write(run_event{run_event::kind::unreachable, "agent/1", 1, "nothing was heard for 0.7 s"});
  log->write(run_event{run_event::kind::ended, "agent/1", 1, "its \"process\"\nended \xff"});
  log->write(run_event{run_event::kind::waits, "agent/1", 2, "a:1 is full"});
  const auto events = events_in(path);
  REQUIRE(events.size() == 5);
  CHECK(events[4]["event"] == "waits");
  CHECK(events[0]["event"] == "view");
  CHECK(events[0]["number"] == 2);
  CHECK(events[0]["detail"] == "agent/0 #1, agent/1 #1");
  CHECK_FALSE(events[0].contains("who"));
  CHECK(events[1]["event"] == "step");
  CHECK(events[1]["step"] == 7);
  CHECK(events[2]["event"] == "unreachable");
  CHECK(events[2]["who"] == "agent/1");
  CHECK(events[3]["event"] == "ended");
  CHECK_THAT(events[3]["detail"].get<std::string>(), ContainsSubstring("its \"process\"\nended "));
  CHECK(events[0]["time"].get<double>() > 1.6e9); // seconds since 1970
  CHECK(events[3]["time"] >= events[0]["time"]);
}

TEST_CASE("without a file no event is written, and one that cannot be written is refused with its path") {
  auto none = event_log::open({});
  REQUIRE(none);
  none->write(step_progress{.step = 7});
  const temporary_folder folder;
  CHECK_THAT(event_log::open(folder / "absent/e.jsonl").error().sentence, ContainsSubstring("absent/e.jsonl"));
}
