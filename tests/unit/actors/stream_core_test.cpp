#include "actors/stream_core.hpp"

#include <catch2/catch_test_macros.hpp>
#include <map>

#include "tests/support/dice.hpp"

using namespace troupe;
using namespace troupe::stream_action;
using namespace std::chrono_literals;
using gpu::device_failure;
using gpu::fault_kind;

namespace {

const device_failure no_memory{fault_kind::out_of_memory, "gpu:0 has no memory"};
const device_failure gone{fault_kind::device_lost, "gpu:0 is gone"};

time_point at(std::chrono::nanoseconds t) {
  return time_point{} + 1h + t;
}

stream_core two_and_two() {
  return stream_core{"gpu:0", {.in_flight = 2, .waiting = 2, .progress = 10s, .pace = 1s}};
}

} // namespace

TEST_CASE("work is enqueued up to the credit, waits up to a bound, and is refused beyond (R13)") {
  auto core = two_and_two();
  CHECK(core.on_work("a") == stream_actions{enqueue{0}});
  CHECK(core.on_enqueued(std::nullopt, at(0s)) == stream_actions{look_later{}});
  CHECK(core.on_work("b") == stream_actions{enqueue{1}});
  CHECK(core.on_enqueued(std::nullopt, at(0s)).empty());
  CHECK(core.on_work("c").empty());
  CHECK(core.on_work("d").empty());
  CHECK(core.on_work("e") ==
        stream_actions{answer{4, device_failure{fault_kind::refused,
                                                "gpu:0 takes no more work: 2 pieces are in flight on this stream and 2 "
                                                "wait; send the next one when one of them is done"}}});
  CHECK(core.tally() == stream_tally{.taken = 5, .refused = 1, .in_flight = 2, .waiting = 2});
  CHECK(core.on_done(at(1s)) == stream_actions{answer{0, std::nullopt}, enqueue{2}});
  CHECK(core.on_enqueued(std::nullopt, at(1s)).empty());
  CHECK(core.on_work("f").empty());
  CHECK(core.tally() == stream_tally{.taken = 6, .done = 1, .refused = 1, .in_flight = 2, .waiting = 2});
}

TEST_CASE("a piece that fails while it is enqueued is answered in its turn, and others go on") {
  auto core = two_and_two();
  core.on_work("a");
  core.on_enqueued(std::nullopt, at(0s));
  core.on_work("b");
  CHECK(core.on_enqueued(no_memory, at(0s)).empty());
  CHECK(core.on_done(at(1s)) == stream_actions{answer{0, std::nullopt}});
  CHECK(core.on_done(at(1s)) == stream_actions{answer{1, no_memory}});
  CHECK(core.on_work("c") == stream_actions{enqueue{2}});
  CHECK(core.tally() == stream_tally{.taken = 3, .done = 1, .failed = 1, .in_flight = 1});
}

TEST_CASE("a lost device ends the process, once, and everything is answered (T6)") {
  const bool while_enqueuing = true;
  for (const bool when : {while_enqueuing, !while_enqueuing}) {
    auto core = two_and_two();
    core.on_work("a");
    core.on_enqueued(std::nullopt, at(0s));
    core.on_work("b");
    if (when == while_enqueuing) {
      CHECK(core.on_enqueued(gone, at(0s)) == stream_actions{answer{0, gone}, answer{1, gone}, end_process{gone}});
    } else {
      core.on_enqueued(std::nullopt, at(0s));
      core.on_work("c");
      CHECK(core.on_look(gone, at(1s)) ==
            stream_actions{answer{0, gone}, answer{1, gone}, answer{2, gone}, end_process{gone}});
    }
    CHECK(core.on_look(gone, at(2s)).empty());
    CHECK(core.on_done(at(2s)).empty());
    const auto taken = core.tally().taken;
    CHECK(core.on_work("late") == stream_actions{answer{taken, gone}});
    CHECK(core.tally() == stream_tally{.taken = taken + 1, .lost = taken + 1});
  }
}

TEST_CASE("the first piece in flight is stuck when it has been that for longer than the limit") {
  auto core = two_and_two();
  core.on_work("a");
  core.on_enqueued(std::nullopt, at(0s));
  core.on_work("the backward pass");
  core.on_enqueued(std::nullopt, at(0s));
  for (int s = 1; s <= 9; ++s)
    CHECK(core.on_look(std::nullopt, at(1s * s)) == stream_actions{look_later{}});
  core.on_done(at(9s)); // its time begins here
  for (int s = 10; s <= 19; ++s)
    CHECK(core.on_look(std::nullopt, at(1s * s)) == stream_actions{look_later{}});
  const device_failure stuck{fault_kind::device_lost,
                             "gpu:0 has worked on the backward pass for longer than 10 s: it counts as stuck"};
  CHECK(core.on_look(std::nullopt, at(20s)) == stream_actions{answer{1, stuck}, end_process{stuck}});
}

TEST_CASE("a process that stood still convicts no stream, and an idle stream is not looked at") {
  auto core = two_and_two();
  core.on_work("a");
  core.on_enqueued(std::nullopt, at(0s));
  CHECK(core.on_look(std::nullopt, at(1s)) == stream_actions{look_later{}});
  CHECK(core.on_look(std::nullopt, at(1h)) == stream_actions{look_later{}}); // was stopped
  CHECK(core.on_done(at(1h)) == stream_actions{answer{0, std::nullopt}});
  CHECK(core.on_look(std::nullopt, at(1h + 1s)).empty());
  core.on_work("b");
  CHECK(core.on_enqueued(std::nullopt, at(2h)) == stream_actions{look_later{}});
  CHECK(core.on_look(std::nullopt, at(2h + 1s)) == stream_actions{look_later{}});
}

TEST_CASE("whatever happens, work is enqueued and answered in order, each piece once, within the credit") {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    testing::dice dice(seed, 0);
    auto core = two_and_two();
    std::optional<stream_ticket> enqueued;
    stream_ticket next_enqueued = 0;
    std::map<stream_ticket, bool> answered; // and whether it was refused
    std::vector<stream_ticket> on_stream;
    size_t ends = 0;
    const auto take = [&](const stream_actions& actions) {
      for (const auto& action : actions) {
        if (const auto* e = std::get_if<enqueue>(&action)) {
          CHECK_FALSE(enqueued);
          CHECK(e->which >= next_enqueued);
          enqueued = e->which;
          next_enqueued = e->which + 1;
          on_stream.push_back(e->which);
        } else if (const auto* a = std::get_if<answer>(&action)) {
          CHECK_FALSE(answered.contains(a->which));
          const bool refused = a->failed && a->failed->kind == fault_kind::refused;
          if (!refused && ends == 0 && !(a->failed && a->failed->kind == fault_kind::device_lost)) {
            CHECK(on_stream.front() == a->which);
            on_stream.erase(on_stream.begin());
          }
          answered[a->which] = refused;
        } else if (std::holds_alternative<end_process>(action)) {
          ++ends;
        }
      }
    };
    for (int i = 0; i < 60; ++i) {
      const auto now = at(i * 100ms);
      if (enqueued) {
        enqueued.reset();
        const auto roll = dice.below(40);
        take(core.on_enqueued(roll == 0  ? std::optional{gone}
                              : roll < 8 ? std::optional{no_memory}
                                         : std::nullopt,
                              now));
      } else if (dice.below(2) == 0 && core.tally().in_flight > 0) {
        take(core.on_done(now));
      } else {
        take(core.on_work("x"));
      }
      const auto t = core.tally();
      CHECK(t.in_flight <= 2);
      CHECK(t.waiting <= 2);
      CHECK(t.taken == t.done + t.failed + t.refused + t.lost + t.in_flight + t.waiting);
      CHECK(answered.size() == t.taken - t.in_flight - t.waiting);
      CHECK(ends <= 1);
    }
  }
}
