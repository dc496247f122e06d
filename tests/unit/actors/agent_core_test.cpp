#include "actors/agent_core.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace troupe;

namespace {

const auto me = member{{"agent", 0}, {1}};

template <class T>
size_t count(const agent_core::actions& xs) {
  size_t n = 0;
  for (auto& x : xs)
    n += std::holds_alternative<T>(x);
  return n;
}

origin of_shard(uint32_t index, uint64_t view = 1) {
  return {{"shard_holder", index}, {1}, {view}};
}

lease part(uint64_t at, uint64_t first = 0, uint64_t last = 2) {
  return {{at}, first, last, 4, 40, {1}};
}

} // namespace

TEST_CASE("an agent computes only with parameters of one version from all shards (I3)") {
  auto core = agent_core{me, 2};
  CHECK(core.on_parameters(of_shard(0), {5}).empty());
  CHECK_FALSE(core.version());
  CHECK(core.on_parameters(of_shard(1), {4}).empty());
  CHECK_FALSE(core.version());
  auto out = core.on_parameters(of_shard(1), {5});
  CHECK(count<agent_core::use_parameters>(out) == 1);
  CHECK(count<agent_core::ask>(out) == 1);
  CHECK(core.version() == step{5});
}

TEST_CASE(
  "a lease for the current step is computed once and the next one is asked for; one for the next step is fetched") {
  auto core = agent_core{me, 1};
  core.on_parameters(of_shard(0), {0});
  auto first = core.on_lease(part(0));
  CHECK(count<agent_core::compute>(first) == 1);
  CHECK(count<agent_core::ask>(first) == 1);
  CHECK(count<agent_core::compute>(core.on_lease(part(0))) == 0);
  CHECK(core.dropped() == 1);
  auto ahead = core.on_lease(part(1));
  CHECK(count<agent_core::fetch>(ahead) == 1);
  CHECK(count<agent_core::compute>(ahead) == 0);
  auto next = core.on_parameters(of_shard(0), {1});
  CHECK(count<agent_core::compute>(next) == 1);
}

TEST_CASE("part of somebody else's work is computed beside the own") {
  auto core = agent_core{me, 1};
  core.on_parameters(of_shard(0), {0});
  core.on_lease(part(0, 0, 2));
  CHECK(count<agent_core::compute>(core.on_lease(part(0, 2, 4))) == 1);
}

TEST_CASE("leases and parameters of the past change nothing and are counted (I13)") {
  auto core = agent_core{me, 1};
  core.on_parameters(of_shard(0), {3});
  CHECK(core.on_lease(part(2)).empty());
  CHECK(core.on_parameters(of_shard(0), {2}).empty());
  CHECK_FALSE(core.wants(of_shard(0), {3}));
  CHECK_FALSE(core.wants(of_shard(7), {9}));
  CHECK(core.dropped() == 2);
}

TEST_CASE("an evaluation waits for its parameters and comes before training with them") {
  auto core = agent_core{me, 1};
  core.on_parameters(of_shard(0), {0});
  core.on_lease(part(1));
  CHECK(core.on_evaluate({{1}, {1}, 0, 10}).empty());
  auto out = core.on_parameters(of_shard(0), {1});
  REQUIRE(out.size() >= 3);
  CHECK(std::holds_alternative<agent_core::use_parameters>(out[0]));
  CHECK(std::holds_alternative<agent_core::measure>(out[1]));
  CHECK(std::holds_alternative<agent_core::compute>(out[2]));
}

TEST_CASE("an agent that hears nothing asks again and pushes again, one that makes progress does not") {
  auto core = agent_core{me, 2};
  CHECK(count<agent_core::pull>(core.on_tick()) == 2);
  core.on_parameters(of_shard(0), {0});
  core.on_parameters(of_shard(1), {0});
  CHECK(core.on_tick().empty());
  auto out = core.on_tick();
  CHECK(count<agent_core::push_again>(out) == 1);
  CHECK(count<agent_core::ask>(out) == 1);
}

namespace {

view_changed view_of(uint64_t number, uint64_t broker = 1, uint64_t holder = 1, uint64_t rewound = 0,
                     uint64_t current = 0) {
  return {{number}, {current}, {me, {{"data_broker", 0}, {broker}}, {{"shard_holder", 0}, {holder}}}, {rewound}};
}

} // namespace

TEST_CASE("what a broker or shard holder that was started again cannot know is told at once") {
  auto core = agent_core{me, 1};
  CHECK(core.on_view(view_of(1)).empty());
  core.on_parameters(of_shard(0), {0});
  core.on_lease(part(0));
  auto broker = core.on_view(view_of(2, 2));
  CHECK(count<agent_core::ask>(broker) == 2); // this step and the next
  auto holder = core.on_view(view_of(3, 2, 2));
  CHECK(count<agent_core::pull>(holder) == 1);
  CHECK(count<agent_core::push_again>(holder) == 1);
  CHECK(core.on_view(view_of(4, 2, 2)).empty());
}

TEST_CASE("a new coordinator is told again what the one before may have taken with it") {
  auto core = agent_core{me, 1};
  CHECK(count<agent_core::push_again>(core.on_coordinator()) == 0);
  core.on_parameters(of_shard(0), {0});
  auto out = core.on_coordinator();
  CHECK(count<agent_core::announce>(out) == 1);
  CHECK(count<agent_core::push_again>(out) == 1);
}

TEST_CASE("T8: when the run goes back, an agent forgets where it was and takes nothing more from then") {
  auto core = agent_core{me, 1};
  core.on_view(view_of(1));
  core.on_parameters(of_shard(0), {5});
  core.on_lease(part(5));
  auto out = core.on_view(view_of(7, 1, 1, 7, 3));
  CHECK(count<agent_core::forget>(out) == 1);
  CHECK(count<agent_core::pull>(out) == 1);
  CHECK_FALSE(core.version());
  CHECK_FALSE(core.wants(of_shard(0, 6), {6}));
  CHECK_FALSE(core.wants(of_shard(0, 0), {3})); // of a holder that has not seen a view yet
  CHECK(count<agent_core::use_parameters>(core.on_parameters(of_shard(0, 7), {3})) == 1);
  CHECK(count<agent_core::compute>(core.on_lease(part(3))) == 1);
  // The next view says the same and changes nothing more.
  CHECK(count<agent_core::forget>(core.on_view(view_of(8, 1, 1, 7, 3))) == 0);
  CHECK(core.version() == step{3});
}

// -- the staleness dial -----------------------------------------------------------------------------------------------

namespace {

template <class T>
const T* first(const agent_core::actions& xs) {
  for (auto& x : xs)
    if (auto* found = std::get_if<T>(&x))
      return found;
  return nullptr;
}

} // namespace

TEST_CASE("with a staleness of k, an agent computes up to k steps ahead of its parameters and not one more") {
  auto core = agent_core{me, 1, pace::bounded(2)};
  CHECK(count<agent_core::ask>(core.on_parameters(of_shard(0), {0})) == 3); // steps 0, 1 and 2
  CHECK(count<agent_core::compute>(core.on_lease(part(0))) == 1);
  CHECK(count<agent_core::compute>(core.on_lease(part(1))) == 0); // one after the other
  CHECK(count<agent_core::compute>(core.on_lease(part(2))) == 0);
  CHECK(count<agent_core::fetch>(core.on_lease(part(3))) == 1);
  CHECK(count<agent_core::compute>(core.on_computed()) == 1);
  CHECK(first<agent_core::compute>(core.on_computed())->base == step{0});
  CHECK(core.on_computed().empty()); // step 3 needs version 1
  auto next = core.on_parameters(of_shard(0), {1});
  REQUIRE(first<agent_core::compute>(next));
  CHECK(first<agent_core::compute>(next)->what.at == step{3});
  CHECK(first<agent_core::compute>(next)->base == step{1});
}

TEST_CASE("where a shard is ahead of the others, the newest version that all have sent is used") {
  auto core = agent_core{me, 2, pace::bounded(2)};
  core.on_parameters(of_shard(0), {1});
  core.on_parameters(of_shard(0), {2});
  core.on_parameters(of_shard(1), {1});
  CHECK(core.version() == step{1});
  core.on_parameters(of_shard(1), {2});
  CHECK(core.version() == step{2});
}

TEST_CASE("an asynchronous agent has one step under way and one in hand, and takes what each shard has newest") {
  auto core = agent_core{me, 2, pace::asynchronous(2)};
  core.on_parameters(of_shard(0), {{3}, {{5}}});
  auto begun = core.on_parameters(of_shard(1), {{3}, {}});
  REQUIRE(first<agent_core::use_parameters>(begun));
  CHECK(first<agent_core::use_parameters>(begun)->versions == std::vector<step>{{4}, {3}});
  CHECK(core.version() == step{3});
  CHECK(first<agent_core::ask>(begun)->at == step{3});
  auto got = core.on_lease(part(7, 0, 4));
  CHECK(count<agent_core::compute>(got) == 1);
  CHECK(first<agent_core::ask>(got)->at == step{8});
  auto more = core.on_lease(part(9, 0, 4));
  CHECK(count<agent_core::fetch>(more) == 1);
  CHECK(count<agent_core::ask>(more) == 0);
  auto done = core.on_computed();
  CHECK(first<agent_core::compute>(done)->what.at == step{9});
  CHECK(first<agent_core::ask>(done)->at == step{10});
  core.on_lease(part(11, 0, 4));
  CHECK(count<agent_core::compute>(core.on_computed()) == 0); // not before one of its own has taken effect
  core.on_parameters(of_shard(0), {{3}, {{5}, {7}}});
  auto applied = core.on_parameters(of_shard(1), {{3}, {{5}, {7}}});
  REQUIRE(first<agent_core::compute>(applied));
  CHECK(first<agent_core::compute>(applied)->what.at == step{11});
}

TEST_CASE("T6: a rejected contribution to the current step is proved; one to another step, or void, is dropped") {
  auto core = agent_core{{{"agent", 0}, {1}}, 1};
  auto holder = origin{{"shard_holder", 0}, {1}, {1}};
  CHECK(core.on_rejected({holder, {4}, {2}}).empty());
  core.on_parameters(holder, {4});
  auto actions = core.on_rejected({holder, {4}, {2}});
  REQUIRE(actions.size() == 1);
  CHECK(std::get<agent_core::prove>(actions[0]).block == block_id{2});
  CHECK(core.on_rejected({holder, {3}, {2}}).empty());
  CHECK(core.dropped() == 2);
}

TEST_CASE("T8: parameters of a holder that has not heard that the run went back are dropped, whatever their version") {
  auto core = agent_core{{{"agent", 0}, {1}}, 1};
  core.on_view({{5}, {}, {}, {5}});
  CHECK_FALSE(core.wants({{"shard_holder", 0}, {2}, {}}, {7})); // restored from what it had kept, in no view yet
  CHECK_FALSE(core.wants({{"shard_holder", 0}, {2}, {4}}, {7}));
  CHECK(core.wants({{"shard_holder", 0}, {2}, {5}}, {3}));
}

TEST_CASE(
  "an agent that is to leave finishes what it has begun, takes nothing new, and goes when that has taken effect") {
  auto core = agent_core{me, 1};
  core.on_parameters(of_shard(0), {0});
  core.on_lease(part(0));
  core.on_lease(part(1));
  CHECK(count<agent_core::go>(core.on_leave()) == 0);
  CHECK(core.on_lease(part(1, 2, 4)).empty());
  CHECK(core.dropped() == 1);
  CHECK(count<agent_core::compute>(core.on_lease(part(0, 2, 4))) == 1); // else the step it waits for never commits
  core.on_computed();
  auto out = core.on_parameters(of_shard(0), {1});
  CHECK(count<agent_core::go>(out) == 1);
  CHECK(count<agent_core::compute>(out) == 0);
  CHECK(count<agent_core::ask>(out) == 0);
}

TEST_CASE("an agent with nothing under way leaves at once") {
  auto core = agent_core{me, 1};
  CHECK(count<agent_core::go>(core.on_leave()) == 1);
  auto idle = agent_core{me, 1};
  idle.on_parameters(of_shard(0), {0});
  idle.on_lease(part(1));
  CHECK(count<agent_core::go>(idle.on_leave()) == 1);
}

TEST_CASE("what a leaving agent has begun is no obstacle any more when the run goes back") {
  auto core = agent_core{me, 1};
  core.on_parameters(of_shard(0), {4});
  core.on_lease(part(4));
  CHECK(count<agent_core::go>(core.on_leave()) == 0);
  auto back = view_changed{{2}, {0}, {me}, {2}, {2}};
  CHECK(count<agent_core::go>(core.on_view(back)) == 1);
}

TEST_CASE("an agent that has done its part of the step offers help, one that has had a single micro-batch does not") {
  auto core = agent_core{me, 1, {}, {}, {}, true};
  core.on_parameters(of_shard(0), {0});
  core.on_lease(part(0, 0, 2));
  core.on_lease(part(0, 3, 4));
  CHECK(count<agent_core::offer>(core.on_computed()) == 0);
  CHECK(count<agent_core::offer>(core.on_computed()) == 1);
  core.on_parameters(of_shard(0), {1});
  core.on_lease(part(1, 0, 1));
  CHECK(count<agent_core::offer>(core.on_computed()) == 0);
  auto other = agent_core{me, 1};
  other.on_parameters(of_shard(0), {0});
  other.on_lease(part(0, 0, 2));
  CHECK(count<agent_core::offer>(other.on_computed()) == 0);
}

TEST_CASE("what an agent has kept of a split lease is computed once, and what it gave up if it gets it again") {
  auto core = agent_core{me, 1, {}, {}, {}, true};
  core.on_parameters(of_shard(0), {0});
  core.on_lease(part(0, 0, 4));
  core.on_split({0}, 0, 2, 4);
  CHECK(count<agent_core::compute>(core.on_lease(part(0, 0, 2))) == 0);
  CHECK(core.dropped() == 1);
  CHECK(count<agent_core::compute>(core.on_lease(part(0, 2, 4))) == 1);
}

TEST_CASE("a lease of a broker that does not know of the split yet is computed whole: nothing is lost (I1)") {
  auto core = agent_core{me, 1, {}, {}, {}, true};
  core.on_parameters(of_shard(0), {0});
  core.on_lease(part(0, 0, 4));
  core.on_split({0}, 0, 2, 4);
  CHECK(count<agent_core::compute>(core.on_lease(part(0, 0, 4))) == 1);
}

TEST_CASE("what was pushed to a shard holder before it was known where it is, is pushed again when it is") {
  auto core = agent_core{me, 2};
  const auto holder = member{{"shard_holder", 1}, {2}};
  CHECK(core.on_bound(holder).empty()); // the view comes
  core.on_parameters(of_shard(0), {0});
  core.on_parameters(of_shard(1), {0});
  core.on_view({{1}, {0}, {me, holder}, {}, {1}});
  auto out = core.on_bound(holder);
  CHECK(count<agent_core::push_again>(out) == 1);
  CHECK(count<agent_core::pull>(out) == 1);
  CHECK(core.on_bound({holder.role, {1}}).empty()); // of before
}

TEST_CASE("a part of what an agent has computed already is computed by itself where a peer waits for just that") {
  for (auto helps : {false, true}) {
    auto core = agent_core{me, 1, {}, helps ? "" : "gossip_peer", {}, helps};
    core.on_parameters(helps ? of_shard(0) : origin{{"gossip_peer", 0}, {1}, {1}}, {0});
    CHECK(count<agent_core::compute>(core.on_lease(part(0, 0, 4))) == 1);
    CHECK(count<agent_core::compute>(core.on_lease(part(0, 2, 4))) == (helps ? 0 : 1));
  }
}
