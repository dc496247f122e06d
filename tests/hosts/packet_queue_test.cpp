#include <catch2/catch_test_macros.hpp>

#include "tests/hosts/packet_switch.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

const packet_queue::time_point start{};

packet_queue::packet packet(int number) {
  return {static_cast<std::byte>(number)};
}

/// What has arrived by then, in order: (where, number).
std::vector<std::pair<size_t, int>> arrivals(packet_queue& queue, packet_queue::time_point now) {
  std::vector<std::pair<size_t, int>> result;
  size_t to = 0;
  packet_queue::packet what;
  while (queue.arrived(now, to, what))
    result.emplace_back(to, static_cast<int>(what.at(0)));
  return result;
}

using list = std::vector<std::pair<size_t, int>>;

} // namespace

TEST_CASE("packets arrive in order, once, where they were sent") {
  packet_queue queue(1);
  CHECK(queue.sent(0, 1, packet(1), start));
  CHECK(queue.sent(0, 2, packet(2), start));
  CHECK(queue.sent(0, 1, packet(3), start));
  CHECK(arrivals(queue, start) == list{{1, 1}, {2, 2}, {1, 3}});
  CHECK(arrivals(queue, start + 1h).empty());
}

TEST_CASE("a cut is one way, and lets pass what was under way") {
  packet_queue queue(1);
  queue.set(0, 1, {.delay = 10ms});
  CHECK(queue.sent(0, 1, packet(1), start));
  queue.set(0, 1, {.cut = true});
  CHECK_FALSE(queue.sent(0, 1, packet(2), start));
  CHECK(queue.sent(1, 0, packet(3), start));
  CHECK(arrivals(queue, start + 1s) == list{{0, 3}, {1, 1}});
  queue.set(0, 1, {});
  CHECK(queue.sent(0, 1, packet(4), start));
  CHECK(arrivals(queue, start) == list{{1, 4}});
}

TEST_CASE("a delay holds for one way, exactly") {
  packet_queue queue(1);
  queue.set(0, 1, {.delay = 50ms});
  CHECK(queue.next() == packet_queue::time_point::max());
  CHECK(queue.sent(0, 1, packet(1), start));
  CHECK(queue.sent(1, 0, packet(2), start));
  CHECK(arrivals(queue, start + 49ms) == list{{0, 2}});
  CHECK(queue.next() == start + 50ms);
  CHECK(arrivals(queue, start + 50ms) == list{{1, 1}});
}

TEST_CASE("a part of the packets gets lost, the same with the same seed") {
  const auto lost = [](uint64_t seed) {
    packet_queue queue(seed);
    queue.set(0, 1, {.loss = 0.01});
    std::vector<int> result;
    for (int i = 0; i < 10'000; ++i)
      if (!queue.sent(0, 1, packet(0), start))
        result.push_back(i);
    return result;
  };
  CHECK(lost(1).size() > 60);
  CHECK(lost(1).size() < 140);
  CHECK(lost(1) == lost(1));
  CHECK(lost(1) != lost(2));
}

TEST_CASE("no more than a bound is under way (R13)") {
  packet_queue queue(1);
  for (size_t i = 0; i < packet_queue::most_under_way; ++i)
    REQUIRE(queue.sent(0, 1, packet(0), start));
  CHECK_FALSE(queue.sent(0, 1, packet(0), start));
}
