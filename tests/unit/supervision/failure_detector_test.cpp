#include "supervision/failure_detector.hpp"

#include <catch2/catch_test_macros.hpp>
#include <random>

using namespace troupe;
using namespace std::chrono_literals;
using enum reachability;

namespace {

/// A peer that answers every heartbeat after `delay`, and a detector that asks at its pace.
struct watched {
  failure_detector detector{{}};
  time_point now{1h};

  void answer_for(nanoseconds time) {
    for (auto until = now + time; now < until; now += 100ms) {
      detector.on_alive(now);
      REQUIRE(detector.judge(now) == reachable);
    }
  }
  /// Asks for so long without an answer; the state at the end.
  reachability silence(nanoseconds time) {
    auto state = reachable;
    for (auto until = now + time; now < until;)
      state = detector.judge(now += 100ms);
    return state;
  }
};

} // namespace

TEST_CASE("T4: silence makes a peer suspect, then unreachable, then dead, in this order") {
  watched w;
  w.answer_for(10s);
  std::vector<reachability> seen{reachable};
  nanoseconds when_unreachable{0};
  for (auto silent = 100ms; silent <= 60s; silent += 100ms)
    if (auto now = w.detector.judge(w.now += 100ms); now != seen.back()) {
      seen.push_back(now);
      if (now == unreachable)
        when_unreachable = silent;
    }
  CHECK(seen == std::vector{reachable, suspect, unreachable, dead});
  CHECK(when_unreachable >= 500ms);
  CHECK(when_unreachable <= 1500ms);
}

TEST_CASE("R8: an unreachable peer that answers is reachable again, a dead one is not") {
  watched w;
  w.answer_for(10s);
  CHECK(w.silence(3s) == unreachable);
  w.detector.on_alive(w.now);
  CHECK(w.detector.judge(w.now) == reachable);
  w.answer_for(1s);
  CHECK(w.silence(60s) == dead);
  w.detector.on_alive(w.now);
  CHECK(w.detector.judge(w.now) == dead);
}

TEST_CASE("R7: deadlines follow the rhythm that was measured") {
  auto convicted_after = [](nanoseconds jitter) {
    failure_detector detector{{}};
    std::mt19937_64 random{7};
    auto now = time_point{1h};
    for (int i = 0; i < 200; ++i) {
      // answers that are late by up to `jitter`, and questions meanwhile
      auto late = nanoseconds{static_cast<int64_t>(random() % static_cast<uint64_t>(jitter.count() + 1))};
      for (auto until = now + 100ms + late; now < until; now += 100ms)
        detector.judge(now);
      detector.on_alive(now);
    }
    auto silent = nanoseconds{0};
    while (detector.judge(now += 100ms) != unreachable)
      silent += 100ms;
    return silent;
  };
  auto steady = convicted_after(0ms);
  auto shaky = convicted_after(2s);
  CHECK(steady < 1s);
  CHECK(shaky > 3 * steady);
  CHECK(shaky < 20s);
}

TEST_CASE("R7: the one knob moves the deadline") {
  auto convicted_after = [](double threshold) {
    failure_detector detector{{.threshold = threshold}};
    auto now = time_point{1h};
    for (int i = 0; i < 100; ++i)
      detector.on_alive(now += 100ms);
    auto silent = nanoseconds{0};
    while (detector.judge(now += 100ms) != unreachable)
      silent += 100ms;
    return silent;
  };
  CHECK(convicted_after(2) < convicted_after(8));
  CHECK(convicted_after(8) < convicted_after(30));
}

TEST_CASE("R8: a detector that was itself paused convicts nobody") {
  watched w;
  w.answer_for(10s);
  w.now += 1h; // this process was stopped; the answers wait in its mailbox
  CHECK(w.detector.judge(w.now) == reachable);
  CHECK(w.detector.judge(w.now += 100ms) == reachable);
  w.detector.on_alive(w.now);
  CHECK(w.silence(200ms) == reachable);
  // Again and again: no pause adds up with the next.
  for (int i = 0; i < 20; ++i) {
    w.now += 10s;
    CHECK(w.detector.judge(w.now) == reachable);
    w.detector.on_alive(w.now);
  }
}

TEST_CASE("R8: a long silence that ended does not make the next one look usual") {
  watched w;
  w.answer_for(10s);
  for (int i = 0; i < 10; ++i) {
    CHECK(w.silence(5s) == unreachable);
    w.detector.on_alive(w.now);
    w.answer_for(1s);
  }
  CHECK(w.silence(2s) == unreachable);
}

TEST_CASE("a peer that never answered is judged, too") {
  watched w;
  CHECK(w.silence(5s) == unreachable);
}
