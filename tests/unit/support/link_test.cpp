#include "tests/support/link.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto ordered = link::carriage::ordered;
constexpr auto loose = link::carriage::loose;
const instant start{};

} // namespace

TEST_CASE("what a connection carries arrives once and in the order it was sent, whatever the mix") {
  const fault_mix worst{.loss = 1, .twice = 1, .reorder = 1, .delay = 50ms};
  link way;
  dice with{1};
  instant last;
  for (int i = 0; i < 1000; ++i) {
    const auto arrivals = way.send(start + i * 1us, ordered, worst, with);
    REQUIRE(arrivals.size() == 1);
    CHECK(arrivals.front() > last);
    last = arrivals.front();
  }
}

TEST_CASE("loose messages are lost, doubled and overtaken as often as the mix says") {
  const fault_mix mix{.loss = 0.2, .twice = 0.3, .reorder = 0.1, .delay = 10ms};
  link way;
  dice with{2};
  int lost = 0, doubled = 0, overtaken = 0;
  instant last;
  for (int i = 0; i < 10000; ++i) {
    const auto now = start + i * 1ms;
    const auto arrivals = way.send(now, loose, mix, with);
    lost += arrivals.empty() ? 1 : 0;
    doubled += arrivals.size() == 2 ? 1 : 0;
    if (arrivals.empty())
      continue;
    CHECK(arrivals.front() >= now + 1ms);
    overtaken += arrivals.front() < last ? 1 : 0;
    last = std::max(last, arrivals.front());
  }
  CHECK(std::abs(lost - 2000) < 200);
  CHECK(std::abs(doubled - 2400) < 200);
  CHECK(overtaken > 100);
}

TEST_CASE("a short cut is only felt, a long one loses the connection with what is under way") {
  const fault_mix calm{.delay = 1ms};
  link way;
  dice with{3};
  way.cut(start, 500ms);
  CHECK(way.is_cut(start));
  CHECK(way.connection() == 1);
  CHECK(way.send(start, ordered, calm, with).front() > start + 500ms);
  way.cut(start + 1s, 5s);
  CHECK(way.connection() == 2);
  CHECK(way.send(start + 2s, ordered, calm, with).empty());
  CHECK_FALSE(way.is_cut(start + 6s));
  CHECK(way.send(start + 6s, ordered, calm, with).size() == 1);
}

TEST_CASE("a mended link carries at once") {
  link way;
  dice with{4};
  way.cut(start, 1h);
  way.mend();
  CHECK_FALSE(way.is_cut(start + 1s));
  CHECK(way.send(start, ordered, {}, with).front() <= start + 1ms);
}

TEST_CASE("a drawn mix stays below what is allowed, and leaves faults out") {
  const fault_mix most{.loss = 0.5, .delay = 20ms, .kills = 3};
  int without = 0;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    dice with{seed};
    const auto mix = fault_mix::draw(with, most);
    CHECK(mix.loss <= 0.5);
    CHECK(mix.kills <= 3);
    CHECK(mix.delay <= 20ms);
    CHECK(mix.crashes == 0);
    without += mix.loss == 0 ? 1 : 0;
  }
  CHECK(std::abs(without - 500) < 100);
}
