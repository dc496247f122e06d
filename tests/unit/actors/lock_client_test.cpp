#include "actors/lock_client.hpp"

#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <optional>
#include <variant>

#include "messages/registry.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

/// A client whose clock, timers and service are the test's.
struct desk {
  desk() { register_messages(); }

  lock_client::ports ports() {
    return {[this] { return now; },
            [this](std::chrono::nanoseconds d, std::function<void()> f) { timers.emplace(now + d, std::move(f)); },
            [this](caf::message m) {
              if (there)
                said.push_back(std::move(m));
              return there;
            }};
  }

  /// Lets the timers go off up to that time.
  void pass(std::chrono::nanoseconds d) {
    auto end = now + d;
    while (!timers.empty() && timers.begin()->first <= end) {
      auto next = timers.extract(timers.begin());
      now = std::max(now, next.key());
      next.mapped()();
    }
    now = end;
  }

  template <class T>
  T last() {
    REQUIRE_FALSE(said.empty());
    REQUIRE(said.back().match_elements<T>());
    return said.back().get_as<T>(0);
  }

  void grant(const acquire_lock& a, uint64_t token) {
    client.on(lock_granted{a.name, a.request, {token}, a.lease_ms, a.asked_at});
  }

  void acquire(lock_client::wish w) {
    client.acquire(
      std::move(w), [this](const expected<fencing_token>& t) { outcome = t; }, [this] { ++losses; });
  }

  time_point now{1h};
  bool there = true;
  std::multimap<time_point, std::function<void()>> timers;
  std::deque<caf::message> said;
  lock_client client{{{"customer", 0}, {1}}, ports()};
  std::optional<expected<fencing_token>> outcome;
  int losses = 0;
};

} // namespace

TEST_CASE("a lock is held from the grant until its lease, counted from the asking, has run out") {
  auto d = desk{};
  d.acquire({"a", 3s, 0ms});
  d.pass(100ms);
  d.grant(d.last<acquire_lock>(), 7);
  REQUIRE(d.outcome);
  CHECK(d.outcome->value() == fencing_token{7});
  CHECK(d.client.holds("a") == fencing_token{7});
  d.pass(2899ms);
  CHECK(d.client.holds("a"));
  d.pass(1ms);
  CHECK_FALSE(d.client.holds("a"));
  d.pass(1ms);
  CHECK(d.losses == 1);
}

TEST_CASE("a lock is renewed at a third of its lease, and again until there is an answer") {
  auto d = desk{};
  d.acquire({"a", 3s, 0ms});
  d.grant(d.last<acquire_lock>(), 7);
  d.said.clear();
  d.pass(999ms);
  CHECK(d.said.empty());
  d.pass(1ms);
  auto first = d.last<renew_lock>();
  CHECK(first.token == fencing_token{7});
  d.pass(500ms); // no answer
  CHECK(d.said.size() > 1);
  d.client.on(lock_granted{"a", first.request, {7}, 3000, first.asked_at});
  d.said.clear();
  d.pass(400ms);
  CHECK(d.said.empty());
  for (int i = 0; i < 20; ++i) {
    d.pass(500ms);
    if (!d.said.empty()) {
      auto r = d.last<renew_lock>();
      d.client.on(lock_granted{"a", r.request, {7}, 3000, r.asked_at});
    }
    CHECK(d.client.holds("a"));
  }
  CHECK(d.losses == 0);
}

TEST_CASE("a refused renewal is a loss") {
  auto d = desk{};
  d.acquire({"a", 3s, 0ms});
  d.grant(d.last<acquire_lock>(), 7);
  d.client.on(lock_refused{"a", 1, "the lease of a has run out"});
  CHECK(d.losses == 1);
  CHECK_FALSE(d.client.holds("a"));
}

TEST_CASE("a wish is said again with the same number until it is answered") {
  auto d = desk{};
  d.acquire({"a", 3s, 10s});
  d.pass(5s);
  CHECK(d.said.size() >= 5);
  for (auto& m : d.said)
    CHECK(m.get_as<acquire_lock>(0).request == 1);
  d.client.on(lock_refused{"a", 1, "a is held by another"});
  CHECK(d.outcome->error().sentence == "a is held by another");
  d.said.clear();
  d.pass(20s);
  CHECK(d.said.empty());
}

TEST_CASE("a service that does not answer is waited for no longer than its deadline") {
  auto d = desk{};
  d.acquire({"a", 3s, 1s});
  d.pass(2999ms);
  CHECK_FALSE(d.outcome);
  d.pass(2ms);
  REQUIRE(d.outcome);
  CHECK(d.outcome->error().sentence == "a is not granted: the lock service has not answered within 3000 ms");
  CHECK(d.last<release_lock>().request == 1);
  d.client.on(lock_granted{"a", 1, {7}, 3000, d.now.time_since_epoch().count()}); // too late
  CHECK_FALSE(d.client.holds("a"));
}

TEST_CASE("without a lock service there is a sentence at once") {
  auto d = desk{};
  d.there = false;
  d.acquire({"a", 3s, 1s});
  CHECK(d.outcome->error().sentence ==
        "a is not granted: there is no lock service here; put one into the supervision tree");
}

TEST_CASE("a release is said again until it is answered, and what nobody wants any more is released too") {
  auto d = desk{};
  d.acquire({"a", 3s, 0ms});
  d.grant(d.last<acquire_lock>(), 7);
  d.client.release("a");
  CHECK_FALSE(d.client.holds("a"));
  d.said.clear();
  d.pass(1s);
  CHECK(d.last<release_lock>().request == 1);
  d.client.on(lock_released{"a", 1});
  d.said.clear();
  d.pass(10s);
  CHECK(d.said.empty());
  d.client.on(lock_granted{"a", 1, {8}, 3000, d.now.time_since_epoch().count()}); // a late copy
  CHECK(d.last<release_lock>().request == 1);
  CHECK(d.losses == 0);
}

TEST_CASE("a lock that was asked for long ago is held once it is renewed") {
  auto d = desk{};
  d.acquire({"a", 100ms, 10s});
  auto first = d.last<acquire_lock>();
  d.pass(500ms);
  d.grant(first, 7);
  CHECK_FALSE(d.outcome);
  auto r = d.last<renew_lock>();
  d.client.on(lock_granted{"a", 1, {7}, 100, r.asked_at});
  CHECK(d.outcome->value() == fencing_token{7});
}

TEST_CASE("the timers of a client that is gone do nothing") {
  auto d = desk{};
  {
    auto other = lock_client{{{"customer", 1}, {1}}, d.ports()};
    other.acquire({"b", 3s, 1s}, [](const expected<fencing_token>&) {});
  }
  d.said.clear();
  d.pass(1min);
  CHECK(d.said.empty());
}
