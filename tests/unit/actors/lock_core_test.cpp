#include "actors/lock_core.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "messages/fence.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr time_point start{1h};

member customer(uint32_t i, uint64_t n = 1) {
  return {{"customer", i}, {n}};
}

/// The core with a journal that works at once, unless it is told to fail.
struct service {
  explicit service(lock_core::config c = {}, lock_state before = {})
    : journal(std::move(before)), core(c, journal, now) {}

  void perform(const lock_core::actions& actions) {
    for (auto& a : actions)
      if (auto* r = std::get_if<lock_core::record>(&a)) {
        if (!broken)
          journal.apply(r->what);
        perform(core.on_recorded(r->what, broken ? expected<void>{fail("the disk is full")} : expected<void>{}, now));
      } else {
        told.push_back(std::get<lock_core::tell>(a));
      }
  }
  void acquire(const member& who, uint64_t request, std::string name = "a", uint64_t wait_ms = 0,
               uint64_t lease_ms = 1000) {
    told.clear();
    perform(core.on_acquire({who, request, std::move(name), lease_ms, wait_ms, now.time_since_epoch().count()}, now));
  }
  void release(const member& who, uint64_t request, std::string name = "a") {
    told.clear();
    perform(core.on_release({who, request, std::move(name)}, now));
  }
  void renew(const member& who, uint64_t request, fencing_token token) {
    told.clear();
    perform(core.on_renew({who, request, "a", token, 0}, now));
  }
  void pass(std::chrono::milliseconds time) {
    told.clear();
    now += time;
    perform(core.on_time(now));
  }

  const lock_granted& granted(const member& to, size_t i = 0) {
    REQUIRE(told.size() > i);
    CHECK(told[i].who == to);
    return std::get<lock_granted>(told[i].what);
  }
  const std::string& refused(const member& to, size_t i = 0) {
    REQUIRE(told.size() > i);
    CHECK(told[i].who == to);
    return std::get<lock_refused>(told[i].what).why;
  }

  time_point now = start;
  lock_state journal;
  lock_core core;
  bool broken = false;
  std::vector<lock_core::tell> told;
};

} // namespace

TEST_CASE("tokens rise over all locks") {
  auto s = service{};
  s.acquire(customer(0), 1, "a");
  CHECK(s.granted(customer(0)).token == fencing_token{1});
  s.acquire(customer(1), 1, "b");
  CHECK(s.granted(customer(1)).token == fencing_token{2});
  s.release(customer(0), 1, "a");
  s.acquire(customer(0), 2, "a");
  CHECK(s.granted(customer(0)).token == fencing_token{3});
}

TEST_CASE("a lock that is held is refused to who does not wait, and granted in order of arrival to who does") {
  auto s = service{};
  s.acquire(customer(0), 1);
  s.acquire(customer(1), 1);
  CHECK(s.refused(customer(1)) == "a is held by another");
  s.acquire(customer(2), 1, "a", 10000);
  CHECK(s.told.empty());
  s.acquire(customer(3), 1, "a", 10000);
  s.release(customer(0), 1);
  REQUIRE(s.told.size() == 2);
  CHECK(s.granted(customer(2), 0).token == fencing_token{2});
  CHECK(std::holds_alternative<lock_released>(s.told[1].what));
  s.release(customer(2), 1);
  CHECK(s.granted(customer(3)).token == fencing_token{3});
}

TEST_CASE("a grant is not told before it is in the journal, and its lease begins then") {
  auto core = lock_core{{}, {}, start};
  auto first = core.on_acquire({customer(0), 1, "a", 1000, 0, 0}, start);
  REQUIRE(first.size() == 1);
  auto& record = std::get<lock_core::record>(first[0]).what;
  CHECK(record.token == fencing_token{1});
  CHECK(core.on_acquire({customer(0), 1, "a", 1000, 0, 0}, start).empty()); // said again meanwhile
  CHECK(core.on_time(start + 5s).empty());
  auto told = core.on_recorded(record, {}, start + 5s);
  REQUIRE(told.size() == 1);
  CHECK(std::get<lock_granted>(std::get<lock_core::tell>(told[0]).what).token == fencing_token{1});
  CHECK(core.next() == start + 6s);
}

TEST_CASE("no lock is granted that the journal does not know, and a token is not used again") {
  auto s = service{};
  s.broken = true;
  s.acquire(customer(0), 1);
  CHECK(s.refused(customer(0)) == "a is not granted: the disk is full");
  s.acquire(customer(0), 1); // a late copy
  CHECK(s.refused(customer(0)) == "this request for a is over");
  s.broken = false;
  s.acquire(customer(0), 2);
  CHECK(s.granted(customer(0)).token == fencing_token{2});
}

TEST_CASE("a lock whose holder says nothing is free when its lease has run out and not earlier") {
  auto s = service{};
  s.acquire(customer(0), 1, "a", 0, 1000);
  s.acquire(customer(1), 1, "a", 60000);
  s.pass(999ms);
  CHECK(s.told.empty());
  s.pass(1ms);
  CHECK(s.granted(customer(1)).token == fencing_token{2});
  s.renew(customer(0), 1, {1}); // it comes back
  CHECK(s.refused(customer(0)) == "the lease of a has run out");
}

TEST_CASE("a lock that is renewed stays, with its token") {
  auto s = service{};
  s.acquire(customer(0), 1, "a", 0, 1000);
  for (int i = 0; i < 5; ++i) {
    s.pass(900ms);
    s.renew(customer(0), 1, {1});
    CHECK(s.granted(customer(0)).token == fencing_token{1});
  }
  s.renew(customer(0), 1, {2}); // no such token
  CHECK_THAT(s.refused(customer(0)), ContainsSubstring("run out"));
  s.renew(customer(1), 1, {1}); // not its lock
  CHECK_THAT(s.refused(customer(1)), ContainsSubstring("run out"));
}

TEST_CASE("a request that comes twice counts once") {
  auto s = service{};
  s.acquire(customer(0), 1, "a", 0, 1000);
  s.pass(500ms);
  s.acquire(customer(0), 1, "a", 0, 1000);
  CHECK(s.granted(customer(0)).token == fencing_token{1});
  s.acquire(customer(1), 1, "a", 5000);
  s.acquire(customer(1), 1, "a", 5000);
  CHECK(s.core.waiting("a") == 1);
  s.release(customer(0), 1);
  s.release(customer(0), 1); // doubled: it is customer/1's now
  REQUIRE(s.told.size() == 1);
  CHECK(std::holds_alternative<lock_released>(s.told[0].what));
  s.acquire(customer(0), 1, "a", 5000); // a copy that was under way for long
  CHECK(s.refused(customer(0)) == "this request for a is over");
  CHECK(s.core.dropped() == 1);
}

TEST_CASE("a newer request of its holder says that the one before is over") {
  auto s = service{};
  s.acquire(customer(0), 1);
  s.acquire(customer(0), 2);
  CHECK(s.granted(customer(0)).token == fencing_token{2});
  CHECK(s.granted(customer(0)).request == 2);
}

TEST_CASE("who has waited for long enough is told, and who does not wait any more is passed over") {
  auto s = service{};
  s.acquire(customer(0), 1, "a", 0, 60000);
  s.acquire(customer(1), 1, "a", 1000);
  s.acquire(customer(2), 1, "a", 30000);
  s.acquire(customer(3), 1, "a", 30000);
  s.pass(1s);
  CHECK(s.refused(customer(1)) == "a was not free within 1000 ms");
  s.release(customer(2), 1);
  s.release(customer(0), 1);
  CHECK(s.granted(customer(3)).token == fencing_token{2});
}

TEST_CASE("a service that is started again waits out what may still be held") {
  auto s = service{};
  s.acquire(customer(0), 1, "a", 0, 2000);
  s.acquire(customer(1), 1, "b", 0, 2000);
  s.release(customer(1), 1, "b");
  auto next = service{{}, s.journal};
  next.acquire(customer(2), 1, "a", 60000);
  CHECK(next.told.empty());
  next.acquire(customer(2), 2, "b");
  CHECK(next.granted(customer(2)).token == fencing_token{3}); // b was released
  next.pass(1999ms);
  CHECK(next.told.empty());
  next.pass(1ms);
  CHECK(next.granted(customer(2)).token == fencing_token{4});
}

TEST_CASE("who held a lock before the service was started again renews it, with its token") {
  auto s = service{};
  s.acquire(customer(0), 1, "a", 0, 2000);
  auto next = service{{}, s.journal};
  next.pass(1500ms);
  next.renew(customer(0), 1, {1});
  CHECK(next.granted(customer(0)).token == fencing_token{1});
  next.pass(1500ms);
  CHECK(next.told.empty());
  next.acquire(customer(0), 1, "a", 0, 2000); // the answer to its first request was lost
  CHECK(next.granted(customer(0)).token == fencing_token{1});
}

TEST_CASE("what is released while its grant is written is free after that") {
  auto core = lock_core{{}, {}, start};
  auto first = core.on_acquire({customer(0), 1, "a", 1000, 0, 0}, start);
  auto record = std::get<lock_core::record>(first[0]).what;
  core.on_release({customer(0), 1, "a"}, start);
  auto after = core.on_recorded(record, {}, start);
  REQUIRE(after.size() == 1); // nobody is told of a grant
  CHECK(std::get<lock_core::record>(after[0]).what.what == lock_record::event::released);
  CHECK_FALSE(core.next());
}

TEST_CASE("bad requests and too many are refused in one sentence") {
  auto s = service{{.longest_lease = 5s, .most_locks = 2, .most_waiters = 1}};
  s.acquire(customer(0), 1, "");
  CHECK(s.refused(customer(0)) == "the name of a lock has 1 to 512 bytes, and this one 0");
  s.acquire(customer(0), 2, "a", 0, 6000);
  CHECK(s.refused(customer(0)) == "the lease of a would be 6000 ms: ask for 1 to 5000 ms and renew it");
  s.acquire({{"two words", 0}, {1}}, 1);
  CHECK(s.told.size() == 1);
  s.acquire(customer(0), 3, "a");
  s.acquire(customer(0), 4, "b");
  s.acquire(customer(0), 5, "c");
  CHECK(s.refused(customer(0)) == "c is not granted: 2 locks are in use, and there are no more");
  s.acquire(customer(1), 1, "a", 1000);
  s.acquire(customer(2), 1, "a", 1000);
  CHECK(s.refused(customer(2)) == "a is not granted: 1 wait for it already");
}

TEST_CASE("a fence refuses lower tokens than it has seen") {
  auto f = fence{};
  CHECK(f.accepts({3}));
  CHECK(f.accepts({3}));
  CHECK_FALSE(f.accepts({2}));
  CHECK(f.accepts({4}));
  CHECK_FALSE(f.accepts({3}));
  CHECK(f.refused() == 2);
  CHECK(f.highest() == fencing_token{4});
}
