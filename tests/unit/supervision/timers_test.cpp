#include "supervision/timers.hpp"

#include <catch2/catch_test_macros.hpp>
#include <map>
#include <random>

using namespace troupe;
using namespace std::chrono_literals;

TEST_CASE("timers come due in their order, and what was cancelled does not") {
  timers all;
  const time_point zero{};
  CHECK_FALSE(all.first());
  all.set(1, zero + 3s);
  all.set(2, zero + 1s);
  all.set(3, zero + 2s);
  all.cancel(2);
  all.cancel(2);
  CHECK(all.first() == zero + 2s);
  CHECK_FALSE(all.next_due(zero + 1s));
  CHECK(all.next_due(zero + 5s) == 3);
  CHECK(all.next_due(zero + 5s) == 1);
  CHECK_FALSE(all.next_due(zero + 5s));
}

TEST_CASE("timers do as a sorted list does, whatever is set and cancelled") {
  std::mt19937 random{1};
  timers all;
  std::map<uint64_t, time_point> model;
  time_point now{};
  for (uint64_t token = 1; token <= 10'000; ++token) {
    const auto due = now + std::chrono::milliseconds{random() % 100};
    all.set(token, due);
    model.emplace(token, due);
    if (random() % 4 != 0) { // most are cancelled
      const auto victim = std::next(model.begin(), static_cast<ptrdiff_t>(random() % model.size()))->first;
      all.cancel(victim);
      model.erase(victim);
    }
    now += std::chrono::milliseconds{random() % 3};
    while (const auto fired = all.next_due(now)) {
      REQUIRE(model.contains(*fired));
      REQUIRE(model.at(*fired) <= now);
      model.erase(*fired);
    }
    for (const auto& [left, at] : model)
      REQUIRE(at > now);
  }
}
