#include "actors/link_log.hpp"

#include <catch2/catch_test_macros.hpp>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

TEST_CASE("connections that nobody was told of are counted in the log's last line") {
  auto lines = std::vector<std::string>{};
  {
    auto log = link_log{[&](const std::string& line) { lines.push_back(line); }};
    for (auto i = 0; i < 25; ++i)
      log.refused("192.0.2.1:1", "it speaks another protocol", {});
  }
  CHECK(lines.size() == 21);
  CHECK(lines.back() == "refused 5 connections more");
}

TEST_CASE("R13: strangers fill the log with 20 lines in 10 s at most, and the next line counts the others") {
  auto lines = std::vector<std::string>{};
  auto log = link_log{[&](const std::string& line) { lines.push_back(line); }};
  auto start = link_log::time_point{};
  for (auto i = 0; i < 1000; ++i)
    log.refused("192.0.2.1:1", "it speaks another protocol", start + i * 1ms);
  CHECK(lines.size() == 20);
  CHECK(lines.front() == "refused the connection from 192.0.2.1:1: it speaks another protocol");
  log.refused("192.0.2.2:1", "it has no certificate", start + 11s);
  CHECK(lines.size() == 21);
  CHECK(lines.back() ==
        "refused the connection from 192.0.2.2:1: it has no certificate (980 more were refused before)");
  log.refused("192.0.2.3:1", "it has no certificate", start + 12s);
  CHECK(lines.back() == "refused the connection from 192.0.2.3:1: it has no certificate");
}
