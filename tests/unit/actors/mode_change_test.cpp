#include "actors/mode_change.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

using namespace troupe;
using Catch::Matchers::ContainsSubstring;

namespace {

job_options job_with(const std::vector<std::string>& changes) {
  auto o = job_options{.agents = 2, .batch = 24, .micro_batch = 4, .epochs = 0, .steps = 100};
  for (auto& text : changes)
    o.changes.push_back(parse_mode_change(text).value());
  return o;
}

std::string refusal(const expected<std::vector<run_part>>& parts) {
  REQUIRE_FALSE(parts);
  CHECK(parts.error().sentence.find('\n') == std::string::npos);
  return parts.error().sentence;
}

} // namespace

TEST_CASE("a change is spelled STEP:OPTION=VALUE") {
  auto c = parse_mode_change("200:staleness=async");
  REQUIRE(c);
  CHECK(*c == mode_change{200, "staleness", "async"});
  CHECK(to_string(*c) == "200:staleness=async");
  for (const auto* wrong : {"", "200", "200:sync", "sync=ring", "0:sync=ring", "-1:sync=ring", "2x:sync=ring"}) {
    INFO(wrong);
    CHECK_FALSE(parse_mode_change(wrong));
  }
  CHECK(parse_mode_change("5:batch=7").error().sentence ==
        "batch cannot change during a run: what can is sync, staleness, fan-in, shards, combine, compress");
  CHECK(parse_mode_change("5:staleness=-1").error().sentence == "staleness takes a whole number from 0 on, not \"-1\"");
  CHECK_FALSE(parse_mode_change("5:fan-in=1"));
  CHECK_FALSE(parse_mode_change("5:combine=sum"));
  CHECK_FALSE(parse_mode_change("5:compress=zip"));
}

TEST_CASE("a run without changes is one part, which goes to the end") {
  auto parts = parts_of(job_with({}));
  REQUIRE(parts);
  REQUIRE(parts->size() == 1);
  CHECK(parts->front().until == 0);
  CHECK(parts->front().options.sync == "ps");
}

TEST_CASE("changes cut a run into parts, in the order of their steps, and stand until the next one") {
  auto parts = parts_of(job_with({"60:sync=tree", "30:staleness=2", "60:staleness=1", "80:sync=ps"}));
  REQUIRE(parts);
  REQUIRE(parts->size() == 4);
  auto& p = *parts;
  CHECK(p[0].until == 30);
  CHECK(p[0].options.staleness == 0);
  CHECK(p[1].until == 60);
  CHECK(p[1].options.sync == "ps");
  CHECK(p[1].options.staleness == 2);
  CHECK(p[2].until == 80);
  CHECK(p[2].options.sync == "tree");
  CHECK(p[2].options.staleness == 1);
  CHECK(p[3].until == 0);
  CHECK(p[3].options.sync == "ps");
  CHECK(p[3].options.staleness == 1);
}

TEST_CASE("what goes with one way to synchronise does not stay with the next, and may be given with it") {
  auto o = job_with({"50:fan-in=4", "50:sync=tree", "70:sync=ring"});
  o.shards = 2;
  auto parts = parts_of(o);
  REQUIRE(parts);
  CHECK((*parts)[0].options.shards == 2);
  CHECK((*parts)[1].options.shards == 0);
  CHECK((*parts)[1].options.fan_in == 4);
  CHECK((*parts)[2].options.fan_in == 0);
}

TEST_CASE("each part has to be possible, and a change has to come between the first step and the last") {
  CHECK_THAT(refusal(parts_of(job_with({"50:staleness=2", "60:sync=ring"}))),
             ContainsSubstring("from step 60 on: agents in a ring keep in step"));
  CHECK_THAT(refusal(parts_of(job_with({"50:sync=sun"}))), ContainsSubstring("from step 50 on: there is no way"));
  CHECK_THAT(refusal(parts_of(job_with({"100:sync=ring"}))), ContainsSubstring("100:sync=ring"));
  auto reproducible = job_with({"50:sync=ring"});
  reproducible.reproducible = true;
  CHECK(parts_of(reproducible));
  reproducible = job_with({"50:sync=gossip"});
  reproducible.reproducible = true;
  CHECK_THAT(refusal(parts_of(reproducible)), ContainsSubstring("--reproducible"));
}

TEST_CASE("a fault has to fit one of the parts") {
  auto o = job_with({"50:sync=ring"});
  o.faults = {parse_fault("ring_peer/1@step=60:kill").value(), parse_fault("shard_holder/0@step=6:exception").value()};
  CHECK(parts_of(o));
  o.faults = {parse_fault("aggregator/0@step=60:kill").value()};
  CHECK_THAT(refusal(parts_of(o)), ContainsSubstring("aggregator/0"));
}

TEST_CASE("parts are reported as one run") {
  auto first = job_report{};
  first.reason = stop_reason::steps_done;
  first.steps = 10;
  first.samples = 100;
  first.training_seconds = 1;
  first.samples_per_second = 100;
  first.train_loss = {{10, 2.0}};
  first.staleness = {{0, 5}};
  auto then = first;
  then.reason = stop_reason::interrupted;
  then.steps = 30;
  then.samples = 200;
  then.training_seconds = 3;
  then.samples_per_second = 20;
  then.train_loss = {{30, 1.0}};
  then.staleness = {{0, 1}, {2, 3}};
  then.weights_sha256 = "f00d";
  auto both = merge(first, then);
  CHECK(both.reason == stop_reason::interrupted);
  CHECK(both.steps == 30);
  CHECK(both.samples == 300);
  CHECK(both.samples_per_second == 40);
  CHECK(both.train_loss == decltype(both.train_loss){{10, 2.0}, {30, 1.0}});
  CHECK(both.staleness == std::map<uint64_t, uint64_t>{{0, 6}, {2, 3}});
  CHECK(both.weights_sha256 == "f00d");
}
