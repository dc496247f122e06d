#include "actors/flow_core.hpp"

#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <string>
#include <variant>

#include "tests/support/dice.hpp"

using namespace troupe;

namespace {

constexpr uint64_t kib = 1024;

flow_item item(uint64_t number, uint64_t bytes) {
  return {7, number, false, payload::make(dtype::u8, {bytes})};
}

// A sender that knows of `credit` bytes from `received` on.
flow_sender_core opened(uint64_t credit, uint64_t received = 0) {
  auto s = flow_sender_core{7};
  REQUIRE(s.on_credit({7, s.on_bound().attempt, received, received, false, credit}));
  return s;
}

} // namespace

TEST_CASE("nothing of a flow is sent before its receiver has given credit, and never more than that") {
  auto s = flow_sender_core{7};
  CHECK_FALSE(s.next());
  auto open = s.on_bound();
  CHECK_FALSE(s.next());
  CHECK_FALSE(s.on_credit({7, open.attempt + 1, 0, 0, false, 4 * kib}));
  CHECK_FALSE(s.on_credit({8, open.attempt, 0, 0, false, 4 * kib}));
  REQUIRE(s.on_credit({7, open.attempt, 0, 0, false, 4 * kib}));
  CHECK(s.next() == 0);
  CHECK(s.admit(3 * kib));
  CHECK_FALSE(s.admit(2 * kib));
  CHECK(s.next() == 1);
  CHECK(s.admit(1)); // which counts for 1 KiB
  CHECK_FALSE(s.admit(0));
  REQUIRE(s.on_credit({7, open.attempt, 1, 1, false, 4 * kib}));
  CHECK(s.admit(3 * kib));
  CHECK_FALSE(s.admit(1));
}

TEST_CASE("an item larger than the whole window passes alone") {
  auto s = opened(4 * kib);
  auto r = flow_receiver_core{4 * kib};
  CHECK(s.admit(100 * kib));
  CHECK_FALSE(s.admit(1));
  r.on_open({7, 1});
  CHECK(r.on_item(item(0, 100 * kib)));
  CHECK_FALSE(r.credit_due());
  CHECK_FALSE(r.on_item(item(1, 1)));
  CHECK(r.dropped() == 1);
  CHECK(r.take());
  auto c = r.credit_due();
  REQUIRE(c);
  CHECK(c->bytes == 4 * kib);
  CHECK(s.on_credit(*c));
  CHECK(s.admit(50 * kib));
}

TEST_CASE("a flow goes on where its receiver says, which may have been started again, as its sender may") {
  auto s = opened(4 * kib);
  CHECK(s.admit(kib));
  CHECK(s.admit(kib));
  auto again = s.on_bound();
  CHECK_FALSE(s.next());
  CHECK_FALSE(s.on_credit({7, again.attempt - 1, 2, 2, false, 4 * kib})); // of the connection before
  REQUIRE(s.on_credit({7, again.attempt, 1, 0, false, 3 * kib}));
  CHECK(s.next() == 1);
  CHECK(opened(kib, 40).next() == 40);
  auto r = flow_receiver_core{4 * kib, 40};
  CHECK_FALSE(r.on_item(item(40, 1))); // nobody has given credit for it
  CHECK(r.on_open({7, 1}).value().received == 40);
  CHECK_FALSE(r.on_open({8, 1})); // another flow
  CHECK_FALSE(r.on_item({8, 40, false, payload::make(dtype::u8, {1})}));
  CHECK_FALSE(r.on_item(item(39, 1)));
  CHECK(r.on_item(item(40, 1)));
  CHECK_FALSE(r.on_item(item(40, 1)));
}

TEST_CASE("a sender asks again only where it has heard nothing and something is due") {
  auto s = opened(4 * kib);
  CHECK_FALSE(s.on_tick());
  CHECK_FALSE(s.on_tick()); // nothing is under way
  CHECK(s.admit(kib));
  auto open = s.on_tick();
  REQUIRE(open);
  CHECK_FALSE(s.next());
  auto more = s.on_tick();
  REQUIRE(more);
  CHECK(more->attempt > open->attempt);
  CHECK_FALSE(s.on_credit({7, open->attempt, 0, 0, false, 4 * kib})); // what was sent behind it is not known
  REQUIRE(s.on_credit({7, more->attempt, 1, 1, false, 4 * kib}));
  CHECK_FALSE(s.on_tick());
  CHECK_FALSE(s.on_tick());
}

TEST_CASE("credit that makes no sense is not believed") {
  auto s = opened(4 * kib);
  CHECK(s.admit(kib));
  auto credit = flow_credit{7, 1, 2, 0, false, kib};
  CHECK_FALSE(s.on_credit(credit)); // of what was never sent
  credit = {7, 1, 0, 1, false, kib};
  CHECK_FALSE(s.on_credit(credit));
  credit = {7, s.on_bound().attempt, 0, 0, true, kib};
  CHECK_FALSE(s.on_credit(credit));
}

// Over connections that are cut again and again, between a sender and a receiver that are started anew now and then,
// the receiver knowing what it had dealt with.
TEST_CASE("R13: each item arrives once, in order, and never more than a window waits, whatever is lost") {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    INFO("seed " << seed);
    auto dice = testing::dice{seed};
    const auto window = (1 + dice.below(8)) * 2 * kib;
    const auto count = dice.below(40);
    auto size_of_item = [&](uint64_t number) { return testing::dice{seed, number + 1}.below(3 * kib); };
    auto s = std::optional{flow_sender_core{7}};
    auto r = std::optional{flow_receiver_core{window}};
    auto forth = std::deque<std::variant<flow_open, flow_item>>{};
    auto back = std::deque<flow_credit>{};
    auto got = uint64_t{0};
    forth.push_back(s->on_bound());
    auto rounds = 0;
    for (; !s->done() && rounds < 20'000; ++rounds) {
      auto what = dice.below(rounds < 2000 ? 100 : 90); // faults end
      if (what < 30 && !forth.empty()) {
        if (auto* open = std::get_if<flow_open>(&forth.front()))
          back.push_back(r->on_open(*open).value());
        else
          r->on_item(std::get<flow_item>(forth.front()));
        forth.pop_front();
        if (auto c = r->credit_due())
          back.push_back(*c);
        auto most = uint64_t{3} * kib; // one item may be larger than the window
        REQUIRE(r->bytes() <= std::max(window, most));
      } else if (what < 50 && !back.empty()) {
        s->on_credit(back.front());
        back.pop_front();
      } else if (what < 70) {
        if (auto taken = r->take()) {
          REQUIRE(taken->bytes() == size_of_item(got));
          ++got;
        }
        if (auto c = r->credit_due())
          back.push_back(*c);
      } else if (what < 85) {
        if (auto number = s->next(); number && *number >= count) {
          s->end();
          forth.push_back(flow_item{7, *number, true, {}});
        } else if (number && s->admit(size_of_item(*number))) {
          forth.push_back(item(*number, size_of_item(*number)));
        }
      } else if (what < 90) {
        if (auto open = s->on_tick())
          forth.push_back(*open);
      } else { // the connection is lost, and perhaps one of them with it
        forth.clear();
        back.clear();
        if (what < 93)
          r.emplace(window, got);
        if (what > 97)
          s.emplace(7);
        forth.push_back(s->on_bound());
      }
    }
    REQUIRE(s->done());
    REQUIRE(got == count);
  }
}
