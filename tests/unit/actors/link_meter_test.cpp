// What is made of the times that answers took.

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>

#include "actors/link_meter.hpp"

using namespace troupe;
using namespace std::chrono_literals;

TEST_CASE("percentiles are by nearest rank, in whatever order the times come") {
  auto seen = link_samples{};
  for (int i = 200; i > 0; --i)
    seen.round_trips.emplace_back(i * 1us);
  const auto f = figures_of(seen);
  CHECK(f.shortest_ns == 1000);
  CHECK(f.median_ns == 100'000);
  CHECK(f.p99_ns == 198'000);
  CHECK((f.bytes_to == 0 && f.bytes_from == 0));
}

TEST_CASE("a load is charged with its own time, and one slow load does not count") {
  auto seen = link_samples{.round_trips = {2ms}, .load_bytes = 10'000'000};
  seen.loads_to = {12ms, 1s, 12ms};
  seen.loads_from = {102ms};
  auto f = figures_of(seen);
  CHECK(f.bytes_to == Catch::Approx(1e9));
  CHECK(f.bytes_from == Catch::Approx(1e8));
  // Quicker than a small message's answer is usual: nothing is taken off.
  seen.loads_to = {1ms};
  CHECK(figures_of(seen).bytes_to == Catch::Approx(1e10));
}

TEST_CASE("R13: what a peer may ask a node to measure has bounds") {
  CHECK(meter_options{}.check());
  CHECK(meter_options{.round_trips = 10000, .loads = 64, .load_bytes = most_ping_bytes}.check());
  for (const auto& bad :
       {meter_options{.round_trips = 0}, meter_options{.round_trips = 10001}, meter_options{.loads = 0},
        meter_options{.loads = 65}, meter_options{.load_bytes = 0}, meter_options{.load_bytes = most_ping_bytes + 1}})
    CHECK(bad.check().error().sentence == "a connection is measured with 1 to 10000 round trips and 1 to 64 loads of "
                                          "at most 67108864 bytes");
}
