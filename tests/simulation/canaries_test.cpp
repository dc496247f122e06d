// Each planted bug is found within 1,000 seeds: else the simulations would prove nothing.

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include "messages/canary.hpp"
#include "tests/simulation/scenarios.hpp"
#include "tests/simulation/training_world.hpp"
#include "tests/simulation/undisturbed_run.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

canary now = canary::none;

void finds(canary which, const scenario& where) {
  for (const auto& shape : shapes_of_the_broker()) // before there is a bug in it
    static_cast<void>(undisturbed_run::known(shape));
  now = which;
  const auto result = explore(where, 1, 1000);
  now = canary::none;
  REQUIRE(result.found);
  fmt::print("found by seed {}: {}\n", result.found->seed, result.found->sentence);
}

} // namespace

bool troupe::planted(canary which) {
  return which == now;
}

TEST_CASE("without a planted bug the same build finds nothing") {
  for (const auto& each : {supervision_scenario(), shards_scenario(), broker_scenario(), checkpoint_scenario(),
                           tree_scenario(), locks_scenario()})
    CHECK_FALSE(explore(each, 1, 20).found);
}

TEST_CASE("an acknowledgement without attempt is found") {
  finds(canary::ack_without_attempt, shards_scenario());
}

TEST_CASE("an expired lease that is not queued again is found") {
  finds(canary::lease_not_queued_again, broker_scenario());
}

TEST_CASE("an end of the epoch that is tested too early is found") {
  finds(canary::epoch_ends_too_early, broker_scenario());
}

TEST_CASE("a late notice of an old incarnation that removes the new one is found") {
  finds(canary::late_notice_removes_successor, supervision_scenario());
}

TEST_CASE("a failed restart that is not counted is found") {
  finds(canary::failed_restart_not_counted, supervision_scenario());
}

TEST_CASE("a restart window on the wall clock is found") {
  finds(canary::window_on_wall_clock, supervision_scenario());
}

TEST_CASE("a group restart that stops in forward order is found") {
  finds(canary::group_stops_forward, supervision_scenario());
}

TEST_CASE("a checkpoint that counts before its last shard is on the disk is found") {
  finds(canary::latest_before_last_shard, checkpoint_scenario());
}

TEST_CASE("a gradient that is applied twice after a retry is found") {
  finds(canary::gradient_applied_twice, shards_scenario());
}

TEST_CASE("a partial sum that is used when a contributor dies is found") {
  finds(canary::partial_sum_used, shards_scenario());
}

TEST_CASE("a partial sum that is used when an aggregator dies is found") {
  finds(canary::partial_aggregate_used, tree_scenario());
}

TEST_CASE("a lock that is free at once when its holder dies is found") {
  finds(canary::lock_freed_at_death, locks_scenario());
}

TEST_CASE("a fencing token that is used again after a restart is found") {
  finds(canary::token_reused_after_restart, locks_scenario());
}
