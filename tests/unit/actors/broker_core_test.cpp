#include "actors/broker_core.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace troupe;

namespace {

member agent(uint32_t rank, uint64_t start = 1) {
  return {{"agent", rank}, {start}};
}

view_changed members(uint64_t number, std::vector<member> list) {
  return {{number}, {}, std::move(list)};
}

request_lease ask(const member& who, uint64_t at) {
  return {{who.role, who.incarnation, {1}}, {at}, {}};
}

constexpr auto sizes = learn::batch_sizes{100, 40, 10}; // steps of 4, 4 and 2 micro-batches

} // namespace

TEST_CASE("a step is split into contiguous parts in rank order, the last step of an epoch is short") {
  auto core = broker_core{sizes, {0}};
  core.on_view(members(1, {agent(1), agent(0)}));
  auto first = core.on_request(ask(agent(0), 0));
  REQUIRE(first.size() == 1);
  CHECK(first[0].what.first == 0);
  CHECK(first[0].what.last == 2);
  CHECK(first[0].what.micro_batches == 4);
  CHECK(first[0].what.samples == 40);
  auto second = core.on_request(ask(agent(1), 0));
  CHECK(second[0].what.first == 2);
  CHECK(second[0].what.last == 4);
  core.on_committed({{1}, {0}});
  auto last = core.on_request(ask(agent(1), 2));
  CHECK(last[0].what.micro_batches == 2);
  CHECK(last[0].what.samples == 20);
}

TEST_CASE("asking twice gets the same lease, with the same attempt") {
  auto core = broker_core{sizes, {0}};
  core.on_view(members(1, {agent(0)}));
  auto a = core.on_request(ask(agent(0), 0));
  auto b = core.on_request(ask(agent(0), 0));
  CHECK(a[0].what.first == b[0].what.first);
  CHECK(a[0].what.last == b[0].what.last);
  CHECK(a[0].what.number == b[0].what.number);
}

TEST_CASE("the part of an agent that is gone goes to another one with the next attempt number") {
  auto core = broker_core{sizes, {0}};
  core.on_view(members(1, {agent(0), agent(1)}));
  core.on_request(ask(agent(0), 0));
  auto moved = core.on_view(members(2, {agent(0)}));
  REQUIRE(moved.size() == 1);
  CHECK(moved[0].to == agent(0));
  CHECK(moved[0].what.first == 2);
  CHECK(moved[0].what.last == 4);
  CHECK(moved[0].what.number == attempt{2});
}

TEST_CASE("a restarted agent gets its own part again") {
  auto core = broker_core{sizes, {0}};
  core.on_view(members(1, {agent(0), agent(1)}));
  core.on_request(ask(agent(1), 0));
  auto moved = core.on_view(members(2, {agent(0), agent(1, 2)}));
  REQUIRE(moved.size() == 1);
  CHECK(moved[0].to == agent(1, 2));
  CHECK(moved[0].what.first == 2);
}

TEST_CASE("nobody left: the parts wait for whoever joins") {
  auto core = broker_core{sizes, {0}};
  core.on_view(members(1, {agent(0)}));
  core.on_request(ask(agent(0), 0));
  CHECK(core.on_view(members(2, {})).empty());
  auto later = core.on_view(members(3, {agent(0, 2)}));
  REQUIRE(later.size() == 1);
  CHECK(later[0].what.last == 4);
}

TEST_CASE("an agent that joined after a step was split gets nothing of it, and all of the next") {
  auto core = broker_core{sizes, {0}};
  core.on_view(members(1, {agent(0)}));
  core.on_request(ask(agent(0), 0));
  core.on_view(members(2, {agent(0), agent(1)}));
  auto now = core.on_request(ask(agent(1), 0));
  CHECK(now[0].what.first == now[0].what.last);
  auto next = core.on_request(ask(agent(1), 1));
  CHECK(next[0].what.first == 2);
  CHECK(next[0].what.last == 4);
}

TEST_CASE("requests from old incarnations, for past steps and old views change nothing and are counted (I13)") {
  auto core = broker_core{sizes, {5}};
  core.on_view(members(2, {agent(0, 3)}));
  CHECK(core.on_request(ask(agent(0, 2), 5)).empty());
  CHECK(core.on_request(ask(agent(0, 3), 4)).empty());
  CHECK(core.on_view(members(1, {agent(0, 2)})).empty());
  core.on_committed({{1}, {3}});
  CHECK(core.current() == step{5});
  CHECK(core.dropped() == 3);
}

TEST_CASE("a request says what has committed, whether or not the coordinator's word of it came") {
  auto core = broker_core{sizes, {0}};
  core.on_view(members(1, {agent(0)}));
  CHECK(core.on_request(ask(agent(0), 2)).empty()); // too far ahead for what is known here
  CHECK(core.dropped() == 1);
  auto r = ask(agent(0), 2);
  r.applied = {{1}, {}};
  auto opened = core.on_request(r);
  REQUIRE(opened.size() == 1);
  CHECK(opened[0].what.at == step{2});
  CHECK(core.current() == step{1});
}

TEST_CASE(
  "asynchronous: a step goes whole to whoever asks, who asks again gets the same, and no more than the window") {
  auto core = broker_core{sizes, {0}, {2, false}};
  core.on_view(members(1, {agent(0), agent(1)}));
  auto first = core.on_request(ask(agent(0), 0));
  REQUIRE(first.size() == 1);
  CHECK(first[0].what.at == step{0});
  CHECK(first[0].what.first == 0);
  CHECK(first[0].what.last == 4);
  CHECK(core.on_request(ask(agent(0), 0))[0].what.at == step{0});
  CHECK(core.on_request(ask(agent(0), 1))[0].what.at == step{1});
  CHECK(core.on_request(ask(agent(1), 0))[0].what.at == step{2});
  CHECK(core.on_request(ask(agent(1), 3)).empty()); // 0 has not committed: it waits
  CHECK(core.on_committed({{1}, {1}}).empty());
  auto later = core.on_committed({{1}, {0}});
  REQUIRE(later.size() == 1);
  CHECK(later[0].to == agent(1));
  CHECK(later[0].what.at == step{3});
}

TEST_CASE("asynchronous: the steps of an agent that is gone go to others, and those that wait get them") {
  auto core = broker_core{sizes, {0}, {2, false}};
  core.on_view(members(1, {agent(0), agent(1)}));
  core.on_request(ask(agent(0), 0));
  core.on_request(ask(agent(1), 0));
  auto moved = core.on_view(members(2, {agent(1)}));
  REQUIRE(moved.size() == 1);
  CHECK(moved[0].what.at == step{0});
  CHECK(moved[0].what.number == attempt{2});
}

TEST_CASE("T8: when the run goes back the leases are void and the earlier steps are given out again") {
  auto core = broker_core{sizes, {0}};
  core.on_view(members(1, {agent(0)}));
  core.on_committed({{1}, {4}});
  CHECK(core.on_request(ask(agent(0), 3)).empty());
  auto back = members(2, {agent(0)});
  back.current = {3};
  back.rewound = {2};
  CHECK(core.on_view(back).empty());
  CHECK(core.current() == step{3});
  CHECK(core.on_request(ask(agent(0), 6)).empty()); // said in view 1
  auto again = ask(agent(0), 3);
  again.from.view = {2};
  CHECK(core.on_request(again).size() == 1);
  core.on_committed({{1}, {9}}); // of before
  CHECK(core.current() == step{3});
  CHECK(core.dropped() == 3);
}

TEST_CASE(
  "a ring's plan is one for each step and crew; an early request waits for its view, a zombie gets none (I15)") {
  auto core = broker_core{sizes, {0}, {}, "ring_peer"};
  auto peer = [](uint32_t rank, uint64_t start = 1) { return member{{"ring_peer", rank}, {start}}; };
  auto wants = [](const member& who, uint64_t at, uint64_t since) {
    return request_plan{{who.role, who.incarnation, {since}}, {at}, {since}};
  };
  auto v = members(2, {agent(0), agent(1), peer(0), peer(1, 3)});
  v.crew_since = {2};
  CHECK_FALSE(core.on_plan_request(wants(peer(0), 0, 2))); // before the broker knows of the view
  core.on_view(v);
  auto waited = core.plans_waited_for();
  REQUIRE(waited.size() == 1);
  CHECK(waited[0].first == peer(0).role);
  CHECK(waited[0].second.parts == std::vector<plan_part>{{0, 2, 0}, {2, 4, 1}});
  auto again = core.on_plan_request(wants(peer(1, 3), 0, 2));
  REQUIRE(again);
  CHECK(again->parts == waited[0].second.parts);
  auto before = core.dropped();
  CHECK_FALSE(core.on_plan_request(wants(peer(1, 2), 3, 2)));
  CHECK(core.dropped() == before + 1);
  CHECK(core.current() == step{0}); // nor does it move the run on
}

TEST_CASE("an agent that says that it is slow gets a smaller part of the next step") {
  auto core = broker_core{sizes, {0}};
  core.on_view(members(1, {agent(0), agent(1)}));
  auto slow = ask(agent(0), 0);
  slow.micro_batch_seconds = 3;
  auto fast = ask(agent(1), 0);
  fast.micro_batch_seconds = 1;
  core.on_request(slow);
  core.on_request(fast);
  slow.at = fast.at = {1};
  auto few = core.on_request(slow);
  CHECK(few[0].what.first == 0);
  CHECK(few[0].what.last == 1);
  auto many = core.on_request(fast);
  CHECK(many[0].what.first == 1);
  CHECK(many[0].what.last == 4);
  CHECK(core.on_request(slow)[0].what.last == 1); // a step that is split up stays as it is
}

namespace {

broker_core with_shards(size_t slots, learn::batch_sizes how = sizes) {
  return broker_core{how, {0}, {}, {}, broker_core::parts::by_speed, {learn::exchange_kind::rotating, slots}};
}

constexpr auto fine = learn::batch_sizes{96, 48, 4}; // steps of 12 micro-batches

offer_help offer(const member& who, uint64_t at, double seconds = 0) {
  return {{who.role, who.incarnation, {1}}, {at}, seconds};
}

lease_split kept(const member& who, uint64_t at, uint64_t first, uint64_t kept, uint64_t last) {
  return {{who.role, who.incarnation, {1}}, {at}, first, kept, last};
}

} // namespace

TEST_CASE("with shards of the data set an agent's part is its slot's, whatever its speed") {
  auto core = with_shards(2, fine);
  core.on_view(members(1, {agent(0), agent(1)}));
  auto slow = ask(agent(0), 0);
  slow.micro_batch_seconds = 9;
  auto fast = ask(agent(1), 0);
  fast.micro_batch_seconds = 1;
  core.on_request(slow);
  core.on_request(fast);
  slow.at = fast.at = {1};
  CHECK(core.on_request(slow)[0].what.last == 6);
  CHECK(core.on_request(fast)[0].what.first == 6);
}

TEST_CASE("with shards of the data set the parts of slots whose agent is not there go to the others, in runs") {
  auto core = with_shards(6, fine); // two micro-batches each
  core.on_view(members(1, {agent(0), agent(4)}));
  auto first = core.on_request(ask(agent(0), 0));
  auto second = core.on_request(ask(agent(4), 0));
  REQUIRE(first.size() == 1); // its own, and slots 1 and 2
  CHECK(first[0].what.first == 0);
  CHECK(first[0].what.last == 6);
  REQUIRE(second.size() == 1); // slots 3 and 5 around its own
  CHECK(second[0].what.first == 6);
  CHECK(second[0].what.last == 12);
  auto moved = core.on_view(members(2, {agent(4)}));
  REQUIRE(moved.size() == 1);
  CHECK(moved[0].what.last == 6);
  CHECK(moved[0].what.number == attempt{2});
}

TEST_CASE("who is done gets what the busiest has not begun, with the next attempt number") {
  auto core = broker_core{fine, {0}};
  core.on_view(members(1, {agent(0), agent(1)}));
  core.on_request(ask(agent(0), 0));
  core.on_request(ask(agent(1), 0));
  auto asked = core.on_offer(offer(agent(0), 0, 0.5));
  REQUIRE(asked.questions.size() == 1);
  CHECK(asked.grants.empty());
  CHECK(asked.questions[0].to == agent(1));
  CHECK(asked.questions[0].what.at == step{0});
  CHECK(asked.questions[0].what.micro_batch_seconds == 0.5);
  CHECK(core.on_offer(offer(agent(0), 0)).questions.empty()); // it has been asked
  auto split = core.on_split(kept(agent(1), 0, 6, 9, 12));
  REQUIRE(split.grants.size() == 1);
  CHECK(split.grants[0].to == agent(0));
  CHECK(split.grants[0].what.first == 9);
  CHECK(split.grants[0].what.last == 12);
  CHECK(split.grants[0].what.number == attempt{2});
  auto rest = core.on_request(ask(agent(1), 0));
  REQUIRE(rest.size() == 1);
  CHECK(rest[0].what.last == 9);
  CHECK(core.on_request(ask(agent(0), 0)).size() == 2);
  CHECK(core.dropped() == 0);
}

TEST_CASE("a part that changed hands goes on from there when its new owner dies") {
  auto core = broker_core{fine, {0}};
  core.on_view(members(1, {agent(0), agent(1)}));
  core.on_request(ask(agent(0), 0));
  core.on_offer(offer(agent(0), 0));
  core.on_split(kept(agent(1), 0, 6, 8, 12));
  auto moved = core.on_view(members(2, {agent(1)}));
  REQUIRE(moved.size() == 2); // its own part, and the one it had taken over
  CHECK(moved[1].what.first == 8);
  CHECK(moved[1].what.number == attempt{3});
}

TEST_CASE("who has begun everything is not asked again, and the next one is") {
  auto core = broker_core{fine, {0}};
  core.on_view(members(1, {agent(0), agent(1), agent(2)}));
  core.on_request(ask(agent(0), 0));
  CHECK(core.on_offer(offer(agent(0), 0)).questions[0].to == agent(1));
  auto next = core.on_split(kept(agent(1), 0, 0, 0, 0));
  CHECK(next.grants.empty());
  REQUIRE(next.questions.size() == 1);
  CHECK(next.questions[0].to == agent(2));
  CHECK(core.on_split(kept(agent(2), 0, 8, 12, 12)).questions.empty());
  CHECK(core.on_offer(offer(agent(0), 0)).questions.empty());
}

TEST_CASE("a split that comes twice, of a part that nobody has, or that finds no helper any more loses nothing (I1)") {
  auto core = broker_core{fine, {0}};
  core.on_view(members(1, {agent(0), agent(1)}));
  core.on_request(ask(agent(1), 0));
  core.on_offer(offer(agent(0), 0));
  core.on_split(kept(agent(1), 0, 6, 8, 12));
  auto again = core.on_split(kept(agent(1), 0, 6, 8, 12));
  REQUIRE(again.grants.size() == 1); // what it has to do, which it knows
  CHECK(again.grants[0].what.first == 6);
  CHECK(again.grants[0].what.last == 8);
  CHECK(core.dropped() == 1);
  auto alone = core.on_split(kept(agent(1), 0, 6, 7, 8));
  REQUIRE(alone.grants.size() == 1);
  CHECK(alone.grants[0].to == agent(1));
  CHECK(alone.grants[0].what.first == 7);
}

TEST_CASE("offers and splits of zombies are dropped and counted (I13, I15); those for other steps come to nothing") {
  auto core = broker_core{fine, {3}};
  core.on_view(members(2, {agent(0, 2), agent(1)}));
  core.on_request(ask(agent(1), 3));
  CHECK(core.on_offer(offer(agent(0, 1), 3)).questions.empty());
  CHECK(core.on_offer(offer(agent(0, 2), 2)).questions.empty());
  CHECK(core.on_offer(offer(agent(0, 2), 4)).questions.empty());
  CHECK(core.on_split(kept(agent(0, 1), 3, 0, 1, 6)).grants.empty());
  CHECK(core.on_split(kept(agent(1), 2, 0, 1, 6)).grants.empty());
  CHECK(core.dropped() == 2);
}
