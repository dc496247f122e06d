#include "actors/shard_core.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace troupe;

namespace {

const auto me = member{{"shard_holder", 0}, {1}};
const auto worker = member{{"agent", 0}, {1}};

push_gradients push(uint64_t at, uint64_t block, tree_node node, uint64_t leaves, member from = worker) {
  return {{from.role, from.incarnation, {1}}, {at}, {at}, {block}, node, leaves, {}};
}

shard_core running() {
  auto core = shard_core{me, {{0}, {3}}};
  CHECK(core.on_view({{1}, {}, {worker, me}}) == std::vector{worker});
  CHECK(core.on_loaded({{7}, {}}));
  return core;
}

} // namespace

TEST_CASE("a step is summed when every block is complete and measured, and applied once when it commits (R4)") {
  auto core = running();
  CHECK(core.on_push(push(7, 0, {0, 0}, 2)).verdict == partial_sums::verdict::accepted);
  auto whole = core.on_push(push(7, 0, {0, 1}, 2));
  CHECK(whole.block_complete);
  CHECK(whole.merges.size() == 1);
  CHECK_FALSE(core.on_commit({{1}, {7}, {7}, 0.1f, 1})); // block 3 is missing
  CHECK_FALSE(core.on_norm({7}, {{0}, 1, true}));
  CHECK(core.on_push(push(7, 3, {1, 0}, 2)).block_complete);
  CHECK(core.on_norm({7}, {{3}, 2, true}));
  CHECK(core.on_commit({{1}, {7}, {7}, 0.1f, 1}));
  CHECK_FALSE(core.on_commit({{1}, {7}, {7}, 0.1f, 1})); // while it is applied
  core.on_applied();
  CHECK(core.version() == step{8});
  CHECK_FALSE(core.on_commit({{1}, {7}, {7}, 0.1f, 1})); // and afterwards
  CHECK(core.version() == step{8});
}

TEST_CASE("contributions of another step, block, incarnation or step size change nothing and are counted (I13, I15)") {
  auto core = running();
  CHECK(core.on_push(push(6, 0, {0, 0}, 1)).verdict != partial_sums::verdict::accepted);
  CHECK(core.on_push(push(8, 0, {0, 0}, 1)).verdict != partial_sums::verdict::accepted);
  CHECK(core.on_push(push(7, 1, {0, 0}, 1)).verdict != partial_sums::verdict::accepted);
  CHECK(core.on_push(push(7, 0, {0, 0}, 1, {{"agent", 0}, {2}})).verdict != partial_sums::verdict::accepted);
  CHECK(core.on_push(push(7, 0, {0, 0}, 1, {{"agent", 9}, {1}})).verdict != partial_sums::verdict::accepted);
  CHECK(core.on_push(push(7, 0, {0, 0}, 0)).verdict != partial_sums::verdict::accepted);
  CHECK(core.on_push(push(7, 0, {0, 0}, 2)).verdict == partial_sums::verdict::accepted);
  CHECK(core.on_push(push(7, 0, {0, 0}, 3)).verdict == partial_sums::verdict::invalid);
  CHECK(core.dropped() == 7);
}

TEST_CASE("a view names the agents that joined since the last one, and an old view changes nothing") {
  auto core = running();
  auto again = member{worker.role, {2}};
  CHECK(core.on_view({{2}, {}, {again}}) == std::vector{again});
  CHECK(core.on_view({{3}, {}, {again}}).empty());
  CHECK(core.on_view({{2}, {}, {worker}}).empty());
  CHECK(core.agents() == std::vector{again});
}

TEST_CASE("the version of a shard never goes back (I3)") {
  auto core = running();
  CHECK_FALSE(core.on_loaded({{3}, {}}));
  CHECK_FALSE(core.on_loaded({{7}, {}}));
  CHECK(core.version() == step{7});
}

TEST_CASE("T8: when the run goes back a shard is empty until it is loaded, and what was said before is void") {
  auto core = running();
  core.on_push(push(7, 0, {1, 0}, 2));
  auto agents = core.on_view({{4}, {3}, {worker, me}, {4}});
  CHECK(agents == std::vector{worker}); // everybody needs the parameters anew
  CHECK_FALSE(core.loaded());
  CHECK(core.on_loaded({{3}, {}}, {4})); // although it is an earlier version
  auto late = push(3, 0, {1, 0}, 2);     // said in view 1
  CHECK(core.on_push(late).verdict != partial_sums::verdict::accepted);
  late.from.view = {4};
  CHECK(core.on_push(late).verdict == partial_sums::verdict::accepted);
  core.on_push([] {
    auto p = push(3, 3, {1, 0}, 2);
    p.from.view = {4};
    return p;
  }());
  core.on_norm({3}, {{0}, 1, true});
  core.on_norm({3}, {{3}, 1, true});
  CHECK_FALSE(core.on_commit({{1}, {3}, {3}, 0.1f, 1})); // a commit of before
  CHECK(core.on_commit({{4}, {3}, {3}, 0.1f, 1}));
}

// -- the staleness dial -----------------------------------------------------------------------------------------------

namespace {

shard_core at_pace(pace how) {
  auto core = shard_core{me, {{0}}, how};
  core.on_view({{1}, {}, {worker, me}});
  core.on_loaded({{7}, {}});
  return core;
}

push_gradients whole(uint64_t at, uint64_t base) {
  auto p = push(at, 0, {0, 0}, 1);
  p.base = {base};
  return p;
}

void sum_up(shard_core& core, uint64_t at, uint64_t base) {
  REQUIRE(core.on_push(whole(at, base)).block_complete);
  core.on_norm({at}, {{0}, 1, true});
}

} // namespace

TEST_CASE("a shard refuses what is more stale than the bound, and what is further ahead") {
  auto core = at_pace(pace::bounded(2));
  CHECK(core.on_push(whole(9, 7)).verdict == partial_sums::verdict::accepted);
  CHECK(core.on_push(whole(8, 5)).verdict != partial_sums::verdict::accepted);
  CHECK(core.on_push(whole(10, 8)).verdict != partial_sums::verdict::accepted);
  CHECK(core.dropped() == 2);
}

TEST_CASE("commits that arrive early wait for those before them, and are applied one at a time") {
  auto core = at_pace(pace::bounded(2));
  for (uint64_t at : {7, 8, 9})
    sum_up(core, at, 7);
  CHECK(core.summed().size() == 3);
  CHECK_FALSE(core.on_commit({{1}, {8}, {8}, 0.1f, 1}));
  CHECK(core.summed().size() == 2); // no need to report it
  auto first = core.on_commit({{1}, {7}, {7}, 0.1f, 1});
  REQUIRE(first);
  CHECK(first->at == step{7});
  CHECK_FALSE(core.on_commit({{1}, {9}, {9}, 0.1f, 1}));
  CHECK(core.on_applied()->at == step{8});
  CHECK(core.on_applied()->at == step{9});
  CHECK_FALSE(core.on_applied());
  CHECK(core.version() == step{10});
}

TEST_CASE("asynchronous steps are applied in the order of their commits, each once") {
  auto core = at_pace(pace::asynchronous(1));
  sum_up(core, 9, 7);
  REQUIRE(core.on_commit({{1}, {9}, {7}, 0.1f, 1}));
  CHECK_FALSE(core.on_applied());
  CHECK(core.version() == step{8});
  CHECK(core.applied() == step_set{{7}, {{9}}});
  CHECK(core.on_push(whole(9, 7)).verdict != partial_sums::verdict::accepted);
  sum_up(core, 7, 2); // however old
  REQUIRE(core.on_commit({{1}, {7}, {8}, 0.1f, 1}));
  core.on_applied();
  CHECK(core.applied() == step_set{{8}, {{9}}});
}

TEST_CASE("T6: a sum that is not finite is rejected once a step; what comes in again counts, whatever it is") {
  auto core = running();
  CHECK(core.on_push(push(7, 0, {1, 0}, 2)).block_complete);
  CHECK(core.on_push(push(7, 3, {1, 0}, 2)).block_complete);
  CHECK_FALSE(core.on_norm({7}, {{3}, 1, true}));
  CHECK_FALSE(core.rejects({6}, {{0}, 0, false})); // of another step
  CHECK(core.rejects({7}, {{0}, 0, false}));
  CHECK(core.dropped() == 1);
  CHECK(core.rejected() == std::vector<std::pair<step, block_id>>{{{7}, {0}}});
  CHECK(core.doubts(push(7, 0, {1, 0}, 2)));
  CHECK_FALSE(core.doubts(push(7, 3, {1, 0}, 2)));
  CHECK_FALSE(core.on_commit({{1}, {7}, {7}, 0.1f, 1})); // it is incomplete again
  auto again = push(7, 0, {1, 0}, 2);
  again.again = true;
  CHECK_FALSE(core.doubts(again));
  CHECK(core.on_push(again).block_complete);
  CHECK_FALSE(core.rejects({7}, {{0}, 0, false})); // so it is: the coordinator decides
  CHECK(core.on_norm({7}, {{0}, 0, false}));
  CHECK(core.rejected().empty());
  CHECK(core.on_commit({{1}, {7}, {7}, 0.1f, 1, true}));
  core.on_applied();
  CHECK_FALSE(core.doubts(push(8, 0, {1, 0}, 2))); // the next step begins anew
}

TEST_CASE("T8: a shard that is loaded before it hears that the run went back stays loaded; an older load is dropped") {
  auto core = running();
  CHECK(core.on_loaded({{3}, {}}, {5})); // back to step 3, in view 5
  CHECK(core.version() == step{3});
  core.on_view({{5}, {3}, {worker, me}, {5}}); // late
  CHECK(core.loaded());
  CHECK(core.on_push({{worker.role, worker.incarnation, {5}}, {3}, {3}, {0}, {0, 0}, 1, {}}).block_complete);
  CHECK_FALSE(core.on_loaded({{9}, {}}, {4})); // of before
  CHECK_FALSE(core.on_loaded({{3}, {}}, {5})); // twice
  CHECK(core.version() == step{3});
  core.on_view({{7}, {3}, {worker, me}, {7}});
  CHECK_FALSE(core.loaded());
}

TEST_CASE("T8: what a holder says before its first view is of the view in which it was loaded") {
  auto core = shard_core{me, {{0}}};
  CHECK(core.from().view == view{});
  core.on_loaded({{3}, {}}, {5});
  CHECK(core.from().view == view{5});
  core.on_view({{6}, {3}, {me}, {5}});
  CHECK(core.from().view == view{6});
}

TEST_CASE("a sum that a holder comes back with counts as all contributions do (I8)") {
  auto core = running();
  CHECK(core.on_sum({7}, {0}, 2));
  CHECK_FALSE(core.on_sum({7}, {0}, 2)); // once
  CHECK_FALSE(core.on_sum({7}, {1}, 2)); // of another shard
  CHECK_FALSE(core.on_sum({6}, {3}, 2)); // applied long since
  CHECK(core.on_push(push(7, 0, {0, 1}, 2)).verdict == partial_sums::verdict::duplicate);
  CHECK(core.on_sum({7}, {3}, 2));
  core.on_norm({7}, {{0}, 1, true});
  CHECK(core.on_norm({7}, {{3}, 2, true}));
  CHECK(core.on_commit({{1}, {7}, {7}, 0.1f, 1}));
}
