// T1: the wait before a restart.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "supervision/backoff.hpp"
#include "world.hpp"

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("T1: the wait is min·2^k, at most max") {
  supervisor_spec spec{.name = "s", .backoff = {.min = 100ms, .max = 1s, .jitter = 0}};
  auto delay = [&](uint32_t k) { return backoff_delay(spec, "a", incarnation{1}, k); };
  CHECK(delay(0) == 100ms);
  CHECK(delay(1) == 200ms);
  CHECK(delay(3) == 800ms);
  CHECK(delay(4) == 1s);
  CHECK(delay(4'000'000'000) == 1s);
}

TEST_CASE("T1: the jitter lengthens the wait by a fraction drawn per incarnation, the same each time") {
  supervisor_spec spec{.name = "s", .backoff = {.min = 1s, .max = 1s, .jitter = 0.5}};
  std::set<nanoseconds> delays;
  for (uint64_t i = 1; i <= 1000; ++i) {
    auto d = backoff_delay(spec, "a", incarnation{i}, 0);
    CHECK(d == backoff_delay(spec, "a", incarnation{i}, 0));
    CHECK(d >= 1s);
    CHECK(d < 1500ms);
    delays.insert(d);
  }
  CHECK(delays.size() > 990);
  CHECK(*delays.begin() < 1010ms);
  CHECK(*delays.rbegin() > 1490ms);
}

TEST_CASE("T1: without a back-off a death is answered by a start at once") {
  CHECK(backoff_delay(supervisor_spec{.name = "s"}, "a", incarnation{1}, 7) == 0s);
}

TEST_CASE("T1: waits double with each death in a row and begin anew after a quiet period") {
  auto spec = spec_of(GENERATE(one_for_one, one_for_all, rest_for_one), {"a"});
  spec.backoff = {.min = 100ms, .max = 10s, .jitter = 0, .quiet = 1min};
  world w{spec};
  w.begin();
  for (auto expected : {100ms, 200ms, 400ms}) {
    w.die("a").did();
    CHECK(w.list()[0].starts_with("a restarting"));
    w.pass(expected - 1ns);
    CHECK(w.did().empty());
    w.pass(1ns);
    CHECK(w.did() == strings{"start a"});
  }
  w.pass(1min).die("a").did();
  w.pass(100ms);
  CHECK(w.did() == strings{"start a"});
}

TEST_CASE("T1: a group stops at once and waits together") {
  auto spec = spec_of(one_for_all, {"a", "b"});
  spec.backoff = {.min = 1s, .jitter = 0};
  world w{spec};
  w.begin().did();
  w.die("a");
  CHECK(w.did() == strings{"stop b"});
  w.pass(1s);
  CHECK(w.did() == strings{"start a", "start b"});
}
