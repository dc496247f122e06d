#include "actors/aggregator_core.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "actors/groups.hpp"

using namespace troupe;

namespace {

constexpr uint64_t micro_batches = 8;
const auto me = member{{"aggregator", 2}, {1}};
const auto holder = member{{"shard_holder", 0}, {1}};

member agent(uint32_t rank, uint64_t start = 1) {
  return {{"agent", rank}, {start}};
}

// The second of two groups of two, in view 1.
std::vector<member> everybody() {
  return {agent(0), agent(1), agent(2), agent(3), {{"aggregator", 0}, {1}}, me, {{"data_broker", 0}, {1}}, holder};
}

step_plan plan_of(const std::vector<plan_part>& parts, uint64_t crew_since = 1, uint64_t at = 0) {
  return {{at}, {crew_since}, micro_batches, parts};
}

const auto usual_plan = plan_of({{0, 2, 0}, {2, 3, 1}, {3, 6, 2}, {6, 8, 3}});

template <class T>
std::vector<T> all(const aggregator_core::actions& xs) {
  auto result = std::vector<T>{};
  for (auto& x : xs)
    if (auto* y = std::get_if<T>(&x))
      result.push_back(*y);
  return result;
}

struct group {
  explicit group(pace how = {}) : core(me, 2, how) { view(1, everybody()); }

  aggregator_core::actions view(uint64_t number, std::vector<member> members, uint64_t crew_since = 1,
                                uint64_t rewound = 0) {
    return core.on_view({{number}, {0}, std::move(members), {rewound}, {crew_since}});
  }

  aggregator_core::actions push(const member& by, tree_node node, uint64_t at = 0, uint64_t base = 0) {
    auto out = aggregator_core::actions{};
    kept = core.on_push({{by.role, by.incarnation, {1}}, {at}, {base}, {0}, node, micro_batches, {}}, out);
    return out;
  }

  static std::vector<tree_node> passed_on(const aggregator_core::actions& xs) {
    auto result = std::vector<tree_node>{};
    for (auto& f : all<aggregator_core::forward>(xs))
      result.push_back(f.what.node);
    return result;
  }

  aggregator_core core;
  bool kept = false;
};

using nodes = std::vector<tree_node>;

} // namespace

TEST_CASE("an agent's aggregator has the number of its group's first agent, and there are about as many as a group has "
          "agents") {
  CHECK(aggregator_of({"agent", 0}, 3) == role_id{"aggregator", 0});
  CHECK(aggregator_of({"agent", 5}, 3) == role_id{"aggregator", 3});
  CHECK(aggregator_of({"agent", 6}, 3) == role_id{"aggregator", 6});
  CHECK(aggregators_of(7, 3) == 3);
  CHECK(aggregators_of(6, 3) == 2);
  for (auto [agents, fan_in] : {std::pair{1, 2}, {4, 2}, {5, 3}, {9, 3}, {10, 4}, {4096, 64}})
    CHECK(usual_fan_in(static_cast<uint32_t>(agents)) == static_cast<uint32_t>(fan_in));
}

TEST_CASE("what a group contributes is passed on as the fewest nodes of the tree, each when it is whole (R6)") {
  auto g = group{};
  auto first = g.push(agent(2), {0, 3});
  CHECK(g.kept);
  REQUIRE(all<aggregator_core::ask_plan>(first).size() == 1);
  CHECK(group::passed_on(first).empty());
  CHECK(group::passed_on(g.core.on_plan(usual_plan)) == nodes{{0, 3}}); // alone: its neighbour is another group's
  CHECK(group::passed_on(g.push(agent(3), {1, 3})).empty());
  auto whole = g.push(agent(2), {1, 2});
  CHECK(group::passed_on(whole) == nodes{{2, 1}}); // micro-batches 4 to 7, of two agents
  auto added = all<aggregator_core::add>(whole);
  REQUIRE(added.size() == 1);
  REQUIRE(added[0].merges.size() == 1);
  CHECK(added[0].merges[0].into == tree_node{2, 1});
  CHECK(g.core.dropped() == 0);
}

TEST_CASE(
  "what others contribute, what is doubled, stale or of no such node changes nothing and is counted (I13, I15)") {
  auto g = group{};
  for (auto& by : {agent(0), agent(2, 2), holder}) {
    CHECK(g.push(by, {0, 3}).empty());
    CHECK_FALSE(g.kept);
  }
  g.push(agent(2), {7, 7});
  CHECK_FALSE(g.kept);
  g.push(agent(2), {0, 3}, 1, 0); // computed with parameters of the step before
  CHECK_FALSE(g.kept);
  CHECK(g.core.dropped() == 5);
  g.push(agent(2), {0, 3});
  g.push(agent(2), {0, 3});
  CHECK_FALSE(g.kept);
  CHECK(g.core.dropped() == 6);
  CHECK(g.core.on_plan(plan_of({{0, 8, 2}}, 2)).empty()); // of a crew that is not known here
  CHECK(g.core.on_plan(plan_of({{0, 8, 2}}, 1, 5)).empty());
  CHECK(g.core.dropped() == 8);
}

TEST_CASE("what agents push again is passed on again, each sum once, since it may be the sum that is lost") {
  auto g = group{};
  g.push(agent(2), {0, 3});
  g.push(agent(2), {1, 2});
  g.push(agent(3), {1, 3});
  g.core.on_plan(usual_plan);
  CHECK(group::passed_on(g.push(agent(2), {0, 3})) == nodes{{0, 3}});
  CHECK(group::passed_on(g.push(agent(2), {1, 2})) == nodes{{2, 1}});
  CHECK(group::passed_on(g.push(agent(3), {1, 3})).empty()); // the sum's second part
  CHECK(g.core.dropped() == 3);
}

TEST_CASE(
  "without a plan, which the broker has not of a step that has committed, what is pushed again goes on as it is") {
  auto g = group{};
  CHECK(group::passed_on(g.push(agent(3), {1, 3})).empty());
  auto again = g.push(agent(3), {1, 3});
  CHECK(group::passed_on(again) == nodes{{1, 3}});
  CHECK(all<aggregator_core::ask_plan>(again).size() == 1);
}

TEST_CASE("an agent that dies takes nothing with it: the step is begun over with another plan from what was kept") {
  auto g = group{};
  g.push(agent(2), {0, 3});
  g.push(agent(2), {1, 2});
  g.core.on_plan(usual_plan);
  auto left = everybody();
  std::erase(left, agent(3));
  auto asked = g.view(2, left, 2);
  CHECK(all<aggregator_core::ask_plan>(asked).size() == 1);
  CHECK(group::passed_on(g.push(agent(2), {0, 2})).empty()); // not before the plan is known
  CHECK(g.kept);
  CHECK(g.core.on_plan(usual_plan).empty()); // of the crew before
  auto over = g.core.on_plan(plan_of({{0, 2, 0}, {2, 6, 2}, {6, 8, 1}}, 2));
  CHECK(all<aggregator_core::start_over>(over).size() == 1);
  CHECK(group::passed_on(over) == nodes{{1, 1}, {1, 2}});
}

TEST_CASE("a plan that gives the group the same micro-batches goes on with what is added up") {
  auto g = group{};
  g.push(agent(2), {1, 2});
  g.push(agent(3), {1, 3});
  CHECK(group::passed_on(g.core.on_plan(usual_plan)) == nodes{{2, 1}});
  auto other = everybody();
  other[0] = agent(0, 2);
  g.view(2, other, 2);
  g.push(agent(2), {0, 3});
  auto again = g.core.on_plan(plan_of(usual_plan.parts, 2));
  CHECK(all<aggregator_core::start_over>(again).empty());
  CHECK(group::passed_on(again) == nodes{{0, 3}});
}

TEST_CASE("parts that were leased again elsewhere are kept and not passed on, and overlapping ones count once") {
  auto g = group{};
  g.push(agent(2), {2, 1}); // of a lease of before
  g.core.on_plan(plan_of({{0, 4, 0}, {4, 6, 2}, {6, 8, 1}}));
  CHECK(g.kept);
  auto mine = g.push(agent(2), {1, 2});
  CHECK(group::passed_on(mine) == nodes{{1, 2}});
  g.push(agent(2), {0, 4}); // within what is there
  CHECK(g.kept);
  CHECK(g.core.dropped() == 1);
}

TEST_CASE("a shard holder that is started again, and one that did not know this aggregator, get every sum again") {
  auto g = group{};
  g.push(agent(2), {1, 2});
  g.push(agent(3), {1, 3});
  g.core.on_plan(usual_plan);
  auto fresh = everybody();
  fresh.back().incarnation = {2};
  CHECK(group::passed_on(g.view(2, fresh)) == nodes{{2, 1}});
  CHECK(group::passed_on(g.view(3, fresh)).empty());
  auto without_me = fresh;
  std::erase(without_me, me);
  auto left_out = g.view(4, without_me);
  CHECK(all<aggregator_core::announce>(left_out).size() == 1);
  CHECK(all<aggregator_core::announce>(g.view(4, without_me)).size() == 1); // said again: its word was lost
  CHECK(group::passed_on(g.view(5, fresh)) == nodes{{2, 1}});
}

TEST_CASE("contributions are kept until an agent computes with what became of them, and void when the run goes back") {
  auto g = group{pace::bounded(2)};
  g.push(agent(2), {1, 2}, 0);
  g.push(agent(2), {1, 2}, 1);
  auto next = g.push(agent(3), {1, 3}, 2, 1);
  REQUIRE(all<aggregator_core::release>(next).size() == 1);
  CHECK(all<aggregator_core::release>(next)[0].before == step{1});
  g.push(agent(3), {1, 3}, 0);
  CHECK_FALSE(g.kept); // of a step that has taken effect
  g.push(agent(3), {1, 3}, 1);
  auto sum = all<aggregator_core::forward>(g.core.on_plan(plan_of(usual_plan.parts, 1, 1)));
  REQUIRE(sum.size() == 1);
  CHECK(sum[0].what.base == step{0});
  g.view(2, everybody(), 1, 2);
  CHECK(g.core.on_plan(plan_of(usual_plan.parts, 1, 1)).empty());
  g.push(agent(3), {1, 3}, 1); // said before the run went back
  CHECK_FALSE(g.kept);
}

TEST_CASE("T6: contributions to a sum that is not finite count no more, and agents push and prove their own again") {
  auto g = group{};
  g.push(agent(2), {1, 2});
  g.push(agent(3), {1, 3});
  g.core.on_plan(usual_plan);
  const auto word = reject_gradients{{holder.role, holder.incarnation, {1}}, {0}, {0}};
  const auto doubtful = push_gradients{{agent(3).role, {1}, {1}}, {0}, {0}, {0}, {1, 3}, micro_batches, {}};
  CHECK_FALSE(g.core.doubts(doubtful));
  auto out = g.core.on_rejected(word);
  CHECK(all<aggregator_core::forget>(out).size() == 1);
  auto asked = all<aggregator_core::reject>(out);
  REQUIRE(asked.size() == 2);
  CHECK(asked[1].to == agent(3).role);
  CHECK(g.core.doubts(doubtful));
  g.push(agent(2), {1, 2});
  CHECK(g.kept);
  auto whole = all<aggregator_core::forward>(g.push(agent(3), {1, 3}));
  REQUIRE(whole.size() == 1);
  CHECK(whole[0].what.again);                                         // each part of it is proven
  CHECK(group::passed_on(g.core.on_rejected(word)) == nodes{{2, 1}}); // once more: the sum was lost
  CHECK(g.core.on_rejected({{{"shard_holder", 0}, {7}, {1}}, {0}, {0}}).empty());
  CHECK(g.core.dropped() == 1);
}
