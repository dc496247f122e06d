#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "apps/troupe/ping.hpp"

using namespace troupe;
using namespace troupe::command;

namespace {

const std::vector<pinged> links{
  {{}, "a.example:7001", link_figures{90'000, 123'456, 1'500'000, 1.234e9, 98.76e6}},
  {{}, "b.example:17001", fail("no troupe node answers at b.example:17001")},
  {"a.example:7001", "c:1", link_figures{50'000'000, 51'000'000, 70'000'000, 1e6, 2e6}},
};

} // namespace

TEST_CASE("connections are a table whose columns stand below each other") {
  const ping_table table({"a.example:7001", "b.example:17001", "c:1"});
  CHECK(table.head() + table.row(links[0]) + table.row(links[2]) ==
        "from             to                      min      median         p99     bulk to   bulk from\n"
        "here             a.example:7001     0.090 ms    0.123 ms    1.500 ms   1.23 GB/s   98.8 MB/s\n"
        "a.example:7001   c:1               50.000 ms   51.000 ms   70.000 ms    1.0 MB/s    2.0 MB/s\n");
}

TEST_CASE("for programs there are all figures, and what failed and why") {
  const auto all = nlohmann::json::parse(to_json(links));
  REQUIRE(all["links"].size() == 2);
  CHECK(all["links"][0] == nlohmann::json{{"from", "here"},
                                          {"to", "a.example:7001"},
                                          {"min_us", 90.0},
                                          {"median_us", 123.456},
                                          {"p99_us", 1500.0},
                                          {"bytes_per_second_to", 1.234e9},
                                          {"bytes_per_second_from", 98.76e6}});
  CHECK(all["links"][1]["from"] == "a.example:7001");
  REQUIRE(all["failed"].size() == 1);
  CHECK(all["failed"][0]["why"] == "no troupe node answers at b.example:17001");
}
