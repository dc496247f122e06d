// S8: bad specs.

#include <catch2/catch_test_macros.hpp>

#include "world.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

/// The sentence with which `change` makes a good spec bad.
template <class Change>
std::string refusal(Change change, restart_strategy strategy = one_for_one) {
  auto spec = spec_of(strategy, {"a"});
  REQUIRE(validate(spec));
  change(spec);
  auto ok = validate(spec);
  return ok ? "accepted" : ok.error().sentence;
}

} // namespace

TEST_CASE("S8: each broken rule has one sentence that names the field and what to do") {
  CHECK(refusal([](auto& s) { s.name = ""; }) == "a supervisor's name is empty: give it one, its reports carry it");
  CHECK(refusal([](auto& s) { s.limit.period = 0s; }) ==
        "supervisor \"s\": limit.period is 0 s: give a time above 0, such as at_most(1000000, 5s)");
  for (auto group : {one_for_all, rest_for_one})
    CHECK(refusal([](auto& s) { s.limit = at_most_of_each(3, 5s); }, group) ==
          "supervisor \"s\": a limit for each child does not go with strategy " + std::string{to_string(group)} +
            ", where a restart concerns others, too: give at_most(3, …)");
  CHECK(refusal([](auto& s) { s.limit = at_most_of_each(3, 5s); }) == "accepted");
  CHECK(refusal([](auto& s) { s.kill_grace = 0s; }) == "supervisor \"s\": kill_grace is 0 s: give a time above 0");
  CHECK(refusal([](auto& s) { s.backoff.min = -1s; }) ==
        "supervisor \"s\": backoff.min is -1 s: give a time of 0 or more");
  CHECK(refusal([](auto& s) { s.backoff = {.min = 2s, .max = 1s}; }) ==
        "supervisor \"s\": backoff.max (1 s) is below backoff.min (2 s): give a larger one");
  CHECK(refusal([](auto& s) { s.backoff.jitter = 1.5; }) ==
        "supervisor \"s\": backoff.jitter is 1.5: give a fraction from 0 to 1");
  CHECK(refusal([](auto& s) { s.backoff.quiet = -1s; }) ==
        "supervisor \"s\": backoff.quiet is -1 s: give a time of 0 or more");
  CHECK(refusal([](auto& s) { s.children[0].id = ""; }) ==
        "supervisor \"s\": a child's id is empty: give each child a name, such as \"agent/0\"");
  CHECK(refusal([](auto& s) { s.children.push_back({.id = "a"}); }) ==
        "supervisor \"s\": id \"a\" is given to two children: each needs one of its own");
  CHECK(refusal([](auto& s) { s.children[0].shutdown = -1s; }) ==
        "supervisor \"s\": child \"a\": shutdown is -1 s: give 0 to kill at once, a time, or unlimited");
  CHECK(refusal([](auto& s) { s.children[0].start = 0s; }) ==
        "supervisor \"s\": child \"a\": start is 0 s: give the time it may take to be ready, or unlimited");
}

TEST_CASE("S7 S8: a significant child is transient or temporary, and its supervisor heeds it") {
  CHECK(
    refusal([](auto& s) { s.children[0].significant = true; }) ==
    "supervisor \"s\": child \"a\": significant does not go with restart permanent, which never ends for good: make it "
    "transient or temporary");
  CHECK(refusal([](auto& s) {
          s.children[0].significant = true;
          s.children[0].restart = transient;
          s.on_significant = never;
        }) ==
        "supervisor \"s\": child \"a\": significant does not go with on_significant never: choose any_significant or "
        "all_significant");
}

TEST_CASE("S8: simple_one_for_one has exactly one child, its template") {
  CHECK(refusal([](auto& s) { s.children.push_back({.id = "b"}); }, simple_one_for_one) ==
        "supervisor \"s\": strategy simple_one_for_one goes with exactly one child, its template, but there are 2");
  CHECK(refusal([](auto& s) { s.children.clear(); }, simple_one_for_one) ==
        "supervisor \"s\": strategy simple_one_for_one goes with exactly one child, its template, but there are 0");
}

TEST_CASE("S4 S6: an intensity of 0, a shutdown of 0 and unlimited times are legal") {
  auto spec = spec_of(one_for_one, {"a"}, permanent, at_most(0, 1ns));
  spec.children[0].shutdown = 0s;
  CHECK(validate(spec));
  spec.children[0].shutdown = unlimited;
  spec.children[0].start = unlimited;
  CHECK(validate(spec));
}

TEST_CASE("times print as short as they are exact") {
  CHECK(to_string(1min) == "1 min");
  CHECK(to_string(90s) == "90 s");
  CHECK(to_string(2500ms) == "2.5 s");
  CHECK(to_string(300ms) == "300 ms");
  CHECK(to_string(2h) == "2 h");
  CHECK(to_string(0s) == "0 s");
  CHECK(to_string(unlimited) == "unlimited");
}
