#include "supervision/in_place_core.hpp"

#include <catch2/catch_test_macros.hpp>
#include <random>

#include "supervision/pulse.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using during = in_place_core::during;
using fate = in_place_core::fate;

namespace {

uint64_t accounted(const in_place_core& core) {
  const auto& c = core.counts();
  return c.handled + c.quarantined + c.refused + (core.keeps_message() ? 1 : 0);
}

} // namespace

TEST_CASE("T3: a message during which the state fails is kept, tried again once, and then quarantined") {
  in_place_core core{{1}};
  core.on_received();
  CHECK(core.on_failure(during::message) == fate::keep);
  CHECK(core.waits());
  CHECK(core.on_replace({2}));
  CHECK_FALSE(core.waits());
  CHECK(core.on_retry());
  CHECK(core.on_failure(during::message) == fate::quarantine);
  CHECK(core.on_replace({3}));
  CHECK_FALSE(core.on_retry());
  CHECK(core.counts() == in_place_counts{.received = 1, .quarantined = 1, .retries = 1, .lives = 3});
}

TEST_CASE("T3: a message that succeeds when it is tried again is handled, and its failure forgotten") {
  in_place_core core{{1}};
  for (uint64_t life = 2; life < 10; life += 2) {
    core.on_received();
    CHECK(core.on_failure(during::message) == fate::keep);
    CHECK(core.on_replace({life}));
    CHECK(core.on_retry());
    core.on_handled();
    CHECK_FALSE(core.keeps_message());
  }
  CHECK(core.counts().handled == 4);
  CHECK(core.counts().quarantined == 0);
}

TEST_CASE("T3: a request during which the state fails is refused at once and never tried again") {
  in_place_core core{{1}};
  core.on_received();
  CHECK(core.on_failure(during::request) == fate::refuse);
  CHECK(core.on_replace({2}));
  CHECK_FALSE(core.on_retry());
  CHECK(core.counts().refused == 1);
}

TEST_CASE("T3: a state that cannot be made costs no attempt of the message that waits for it") {
  in_place_core core{{1}};
  core.on_received();
  CHECK(core.on_failure(during::message) == fate::keep);
  CHECK(core.on_replace({2}));
  CHECK(core.on_failure(during::callback) == fate::none);
  CHECK(core.on_replace({3}));
  CHECK(core.on_retry());
  core.on_handled();
  CHECK(core.counts().handled == 1);
}

TEST_CASE("T2: a supervisor's old word, or one without a failure, gives no new life") {
  in_place_core core{{4}};
  CHECK_FALSE(core.on_replace({5}));
  CHECK(core.on_failure(during::callback) == fate::none);
  CHECK_FALSE(core.on_replace({4}));
  CHECK_FALSE(core.on_replace({3}));
  CHECK(core.waits());
  CHECK(core.on_replace({9}));
  CHECK(core.number() == incarnation{9});
}

TEST_CASE("I13: whatever fails when, every received message is handled, quarantined, refused or kept") {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    std::mt19937_64 random{seed};
    in_place_core core{{1}, static_cast<uint32_t>(1 + seed % 4)};
    uint64_t next = 1;
    for (int i = 0; i < 300; ++i) {
      if (core.waits()) {
        if (random() % 3 != 0)
          REQUIRE(core.on_replace({++next}));
        if (core.waits())
          continue;
        if (random() % 5 == 0)
          core.on_failure(during::callback);
        else if (core.on_retry())
          random() % 2 ? core.on_handled() : static_cast<void>(core.on_failure(during::message));
      } else {
        core.on_received();
        auto draw = random() % 4;
        if (draw < 2)
          core.on_handled();
        else
          core.on_failure(draw == 2 ? during::message : during::request);
      }
      INFO("seed " << seed);
      REQUIRE(core.counts().received == accounted(core));
    }
  }
}

TEST_CASE("T5: a handler that does not return is found after its limit, one that is slow or done is not") {
  pulse beat;
  stuck_watch watch{{.limit = 10s, .pace = 1s}};
  auto now = time_point{1h};
  auto asked = [&](int times) {
    auto found = false;
    for (int i = 0; i < times; ++i)
      found |= watch.observe(beat.turns(), now += 1s);
    return found;
  };
  CHECK_FALSE(asked(100)); // idle
  beat.begin();
  CHECK_FALSE(asked(11));
  beat.end();
  CHECK_FALSE(asked(100));
  beat.begin();
  CHECK_FALSE(asked(9));
  beat.end(); // another message, without a pause between them
  beat.begin();
  CHECK_FALSE(asked(11));
  CHECK(asked(1));
}

TEST_CASE("R8: a process that was stopped for long and goes on finds nobody stuck") {
  pulse beat;
  stuck_watch watch{{.limit = 10s, .pace = 1s}};
  auto now = time_point{1h};
  beat.begin();
  CHECK_FALSE(watch.observe(beat.turns(), now));
  CHECK_FALSE(watch.observe(beat.turns(), now += 1h));
  CHECK_FALSE(watch.observe(beat.turns(), now += 1s));
}
