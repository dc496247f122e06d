#include <catch2/catch_test_macros.hpp>

#include <optional>

#include "actors/replica_core.hpp"
#include "actors/replica_feed.hpp"

using namespace troupe;

namespace {

const auto holder = member{{"shard_holder", 2}, {1}};
const auto replica = member{{"shard_replica", 2}, {1}};

origin of(const member& m, uint64_t number = 1) {
  return {m.role, m.incarnation, {number}};
}

replica_feed::version at(uint64_t version) {
  return {{{version}, {}}, payload::floats(16)};
}

replicate_update update(uint64_t version) {
  return {of(holder), {}, {.view = {1}, .at = {version}, .version = {version}}, {}, {}};
}

follow_shard asks(std::optional<uint64_t> version, bool again = false) {
  return {of(replica), again, version.has_value(), {}, {version.value_or(0)}};
}

update_replicated ack(uint64_t version) {
  return {of(replica), {}, {version}};
}

step shown(const replica_feed& f) {
  return f.shown()->applied.version();
}

// A holder at version 5 with a replica that has all of it.
replica_feed in_step() {
  auto f = replica_feed{2};
  f.on_loaded(at(5));
  REQUIRE(f.on_follow(asks({}), {5}, {}).everything);
  f.on_state({5});
  f.on_replicated(ack(5));
  REQUIRE(f.in_step({5}));
  return f;
}

view_changed view_with(uint64_t number, std::vector<member> members, uint64_t rewound = 0) {
  return {{number}, {}, std::move(members), {rewound}};
}

template <class T>
const T* find(const replica_core::actions& all) {
  for (auto& a : all)
    if (auto* x = std::get_if<T>(&a))
      return x;
  return nullptr;
}

replica_core loaded_at(uint64_t version) {
  auto c = replica_core{replica};
  c.on_view(view_with(1, {holder, replica}));
  REQUIRE(find<replica_core::take>(c.on_state({of(holder), {}, {{version}, {}}, payload::floats(16), {}})));
  return c;
}

} // namespace

TEST_CASE("without a replica every version is shown at once") {
  auto f = replica_feed{2};
  CHECK_FALSE(f.shown());
  f.on_loaded(at(5));
  CHECK(shown(f) == step{5});
  CHECK_FALSE(f.on_update(update(5)));
  f.on_applied(at(6));
  CHECK(shown(f) == step{6});
}

TEST_CASE("a version is shown when the replica has it") {
  auto f = in_step();
  CHECK(f.on_update(update(5)));
  f.on_applied(at(6));
  CHECK(shown(f) == step{5});
  CHECK_FALSE(f.in_step({6}));
  CHECK(f.open().size() == 1); // to be sent again, if it was lost
  f.on_replicated(ack(6));
  CHECK(shown(f) == step{6});
  CHECK(f.open().empty());
}

TEST_CASE("a replica that is gone is not waited for") {
  auto f = in_step();
  f.on_update(update(5));
  f.on_applied(at(6));
  f.on_view(view_with(2, {holder, replica}));
  CHECK(shown(f) == step{5});
  f.on_view(view_with(3, {holder}));
  CHECK(shown(f) == step{6});
  f.on_replicated(ack(6)); // late
  CHECK_FALSE(f.in_step({6}));
}

TEST_CASE("a view from before a replica asked says nothing about it") {
  auto f = replica_feed{2};
  f.on_loaded(at(5));
  auto early = asks({});
  early.from.view = {7};
  f.on_follow(early, {5}, {});
  f.on_view(view_with(6, {holder}));
  CHECK(f.replica() == replica);
}

TEST_CASE("while a replica catches up, the holder is ahead of it by a few versions at most") {
  auto f = replica_feed{2};
  f.on_loaded(at(5));
  REQUIRE(f.on_follow(asks({}), {5}, {}).everything);
  f.on_state({5});
  for (uint64_t v = 5; v < 40; ++v) {
    f.on_update(update(v));
    f.on_applied(at(v + 1));
  }
  CHECK(shown(f) == step{5 + replica_feed::max_lead});
  f.on_replicated(ack(5));
  f.on_replicated(ack(20));
  CHECK(shown(f) == step{20});
  f.on_replicated(ack(40));
  CHECK(f.in_step({40}));
}

TEST_CASE("a replica that lacks only what is still there is sent no more than that") {
  auto f = in_step();
  f.on_update(update(5));
  f.on_applied(at(6));
  auto next = member{replica.role, {2}};
  auto ask = follow_shard{of(next), false, true, {}, {5}};
  auto answer = f.on_follow(ask, {6}, {});
  CHECK_FALSE(answer.everything);
  REQUIRE(answer.updates.size() == 1);
  CHECK(answer.updates[0].what.version == step{5});
  CHECK(f.replica() == next);
  CHECK(f.on_follow(asks(5), {6}, {}).updates.empty()); // from the one before
  auto behind = follow_shard{of(next), true, true, {}, {3}};
  CHECK(f.on_follow(behind, {6}, {}).everything);
  auto of_another_past = follow_shard{of(next), true, true, {1}, {6}};
  CHECK(f.on_follow(of_another_past, {6}, {2}).everything);
}

TEST_CASE("what is on its way is sent again only when it seems to be lost") {
  auto f = replica_feed{2};
  f.on_loaded(at(5));
  CHECK(f.on_follow(asks({}), {5}, {}).everything);
  f.on_state({5});
  CHECK_FALSE(f.on_follow(asks({}), {5}, {}).everything);
  CHECK(f.on_follow(asks({}, true), {5}, {}).everything);
}

TEST_CASE("a replica follows the holder of its view, and acknowledges what it begins") {
  auto c = replica_core{replica};
  CHECK(find<replica_core::announce>(c.on_view(view_with(1, {holder}))));
  auto first = c.on_view(view_with(2, {holder, replica}));
  auto* f = find<replica_core::follow>(first);
  REQUIRE(f);
  CHECK(f->holder == holder);
  CHECK(c.on_update(update(5)).empty()); // early: kept
  auto all = c.on_state({of(holder), {}, {{5}, {}}, payload::floats(16), {}});
  CHECK(find<replica_core::take>(all));
  CHECK(find<replica_core::announce>(all));
  CHECK(find<replica_core::apply>(all));
  CHECK(std::get<replica_core::acknowledge>(all.back()).version == step{6});
  CHECK(c.version() == step{5});
  CHECK(c.on_update(update(6)).empty()); // one after the other
  CHECK(find<replica_core::apply>(c.on_applied()));
  CHECK(c.version() == step{6});
}

TEST_CASE("an update that comes twice is applied once, and acknowledged again") {
  auto c = loaded_at(5);
  CHECK(find<replica_core::apply>(c.on_update(update(5))));
  auto again = c.on_update(update(5));
  CHECK_FALSE(find<replica_core::apply>(again));
  REQUIRE(find<replica_core::acknowledge>(again));
  CHECK(find<replica_core::acknowledge>(again)->version == step{6});
  CHECK(c.dropped() == 1);
}

TEST_CASE("a replica forgets what it has when the run goes back") {
  auto c = loaded_at(5);
  c.on_update(update(5));
  c.on_view(view_with(2, {holder, replica}, 2));
  CHECK_FALSE(c.loaded());
  CHECK(c.on_applied().empty());
  CHECK(c.on_update(update(6)).empty()); // of before
  CHECK(c.on_state({of(holder), {1}, {{9}, {}}, payload::floats(16), {}}).empty());
  CHECK(find<replica_core::take>(c.on_state({of(holder), {2}, {{3}, {}}, payload::floats(16), {}})));
  CHECK(c.version() == step{3});
}

TEST_CASE("a replica that hears nothing asks again") {
  auto c = loaded_at(5);
  CHECK(c.on_tick().empty());
  auto all = c.on_tick();
  CHECK(find<replica_core::announce>(all));
  REQUIRE(find<replica_core::follow>(all));
  CHECK(find<replica_core::follow>(all)->again);
}

TEST_CASE("a holder says that it has the sums of a step when its replica has them, too (I8)") {
  auto f = in_step();
  CHECK(f.on_summed({5}));
  CHECK(f.waits({5}));
  CHECK_FALSE(f.has_sums({5}));
  f.on_sums_replicated({of({replica.role, {9}}), {}, {5}}); // another one
  CHECK(f.waits({5}));
  f.on_sums_replicated({of(replica), {}, {5}});
  CHECK_FALSE(f.waits({5}));
  CHECK(f.has_sums({5}));
  CHECK_FALSE(f.on_summed({5})); // known
}

TEST_CASE("a version whose sums the replica has is shown at once") {
  auto f = in_step();
  f.on_summed({5});
  f.on_sums_replicated({of(replica), {}, {5}});
  CHECK(f.on_update(update(5)));
  f.on_applied(at(6));
  CHECK(shown(f) == step{6});
  CHECK_FALSE(f.in_step({6})); // to move it has to have the update
  CHECK(f.on_update(update(6)));
  f.on_applied(at(7)); // of which it has no sums
  CHECK(shown(f) == step{6});
  f.on_replicated(ack(7));
  CHECK(shown(f) == step{7});
}

TEST_CASE("nobody waits for the sums of a replica that is gone, or that is catching up") {
  auto f = in_step();
  f.on_summed({5});
  f.on_view(view_with(2, {holder}));
  CHECK_FALSE(f.waits({5}));
  CHECK_FALSE(f.on_summed({6}));
  auto next = member{replica.role, {2}};
  CHECK(f.on_follow({of(next, 3), false, false, {}, {}}, {5}, {}).everything);
  CHECK_FALSE(f.on_summed({6}));
  CHECK_FALSE(f.has_sums({5})); // the one before had them
}

TEST_CASE("a replica asks its holder again when it becomes known where that is, if the view has told of it") {
  auto c = loaded_at(5);
  CHECK(find<replica_core::follow>(c.on_bound(holder)));
  CHECK(c.on_bound({holder.role, {2}}).empty());
}

TEST_CASE("a state that was sent before it was known where the replica is, is sent again when it is") {
  auto f = replica_feed{2};
  f.on_loaded(at(5));
  CHECK_FALSE(f.on_bound(replica));
  REQUIRE(f.on_follow(asks({}), {5}, {}).everything);
  f.on_state({5});
  CHECK(f.on_bound(replica));
  f.on_state({6});
  f.on_replicated(ack(6));
  CHECK_FALSE(f.on_bound(replica)); // it has it
}

TEST_CASE("a replica that waits for the state asks for it again, whatever updates come") {
  auto c = replica_core{replica};
  c.on_view(view_with(1, {holder, replica}));
  c.on_update(update(5));
  auto all = c.on_tick();
  REQUIRE(find<replica_core::follow>(all));
  CHECK(find<replica_core::follow>(all)->again);
}
