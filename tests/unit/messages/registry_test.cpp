#include "messages/registry.hpp"

#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/byte_buffer.hpp>
#include <caf/deep_to_string.hpp>
#include <catch2/catch_test_macros.hpp>

#include "messages/nodes.hpp"

using namespace troupe;

namespace {

template <class T>
T through_the_wire(const T& x) {
  auto bytes = caf::byte_buffer{};
  auto sink = caf::binary_serializer{nullptr, bytes};
  REQUIRE(sink.apply(x));
  auto back = T{};
  auto source = caf::binary_deserializer{nullptr, bytes};
  REQUIRE(source.apply(back));
  CHECK(source.remaining() == 0);
  return back;
}

const auto somebody = origin{{"agent", 3}, {4}, {5}};

} // namespace

TEST_CASE("every field of a contribution crosses the wire") {
  auto p = push_gradients{somebody, {6}, {5}, {7}, {1, 2}, 8, payload::floats(16)};
  auto back = through_the_wire(p);
  CHECK(back.from == p.from);
  CHECK(back.at == p.at);
  CHECK(back.block == p.block);
  CHECK(back.node == p.node);
  CHECK(back.micro_batches == 8);
  CHECK(back.gradient.elements() == 16);
  auto d = through_the_wire(micro_batches_done{somebody, {1}, {0}, 4, {{2, 0.5, 3, 4}}, 9});
  CHECK(d.dropped == 9);
  REQUIRE(d.results.size() == 1);
  CHECK(d.results[0].index == 2);
  CHECK(d.results[0].loss_sum == 0.5);
  CHECK(d.results[0].correct == 3);
  CHECK(d.results[0].samples == 4);
}

TEST_CASE("leases, commits, views and evaluations cross the wire") {
  auto l = through_the_wire(lease{{1}, 2, 3, 4, 5, {6}});
  CHECK((l.at == step{1} && l.first == 2 && l.last == 3 && l.micro_batches == 4 && l.samples == 5 &&
         l.number == attempt{6}));
  auto c = through_the_wire(commit_step{{1}, {2}, {3}, 0.25f, 0.5f});
  CHECK((c.view == view{1} && c.at == step{2} && c.learning_rate == 0.25f && c.scale == 0.5f));
  auto v = through_the_wire(view_changed{{9}, {8}, {{{"agent", 1}, {2}}}});
  CHECK((v.number == view{9} && v.current == step{8} && v.members == std::vector<member>{{{"agent", 1}, {2}}}));
  auto e = through_the_wire(evaluation{somebody, {1}, 2, 3, 4.5, 6});
  CHECK(
    (e.from == somebody && e.version == step{1} && e.first == 2 && e.last == 3 && e.loss_sum == 4.5 && e.correct == 6));
}

TEST_CASE("what a shard and its replica say to each other crosses the wire") {
  auto f = through_the_wire(follow_shard{somebody, true, true, {6}, {7}});
  CHECK((f.from == somebody && f.again && f.loaded && f.since == view{6} && f.version == step{7}));
  auto s = through_the_wire(shard_state{somebody, {6}, {{7}, {{9}}}, payload::floats(16), {payload::floats(32)}});
  CHECK((s.since == view{6} && s.applied.version() == step{8} && s.values.elements() == 16));
  REQUIRE(s.state.size() == 1);
  CHECK(s.state[0].elements() == 32);
  auto u = through_the_wire(replicate_update{somebody, {6}, {{1}, {2}, {3}, 0.25f}, {{4}}, {payload::floats(48)}});
  CHECK((u.since == view{6} && u.what == commit_step{{1}, {2}, {3}, 0.25f} && u.blocks == std::vector<block_id>{{4}}));
  REQUIRE(u.sums.size() == 1);
  CHECK(u.sums[0].elements() == 48);
  auto r = through_the_wire(update_replicated{somebody, {6}, {7}});
  CHECK((r.from == somebody && r.since == view{6} && r.version == step{7}));
  auto p = through_the_wire(replicate_sums{somebody, {6}, {7}, {{4}}, {payload::floats(48)}});
  CHECK((p.since == view{6} && p.at == step{7} && p.blocks == std::vector<block_id>{{4}}));
  REQUIRE(p.sums.size() == 1);
  CHECK(p.sums[0].elements() == 48);
  auto q = through_the_wire(sums_replicated{somebody, {6}, {7}});
  CHECK((q.from == somebody && q.since == view{6} && q.at == step{7}));
  auto done = through_the_wire(shard_replicated{somebody, {{"shard_replica", 1}, {2}}});
  CHECK((done.from == somebody && done.replica == member{{"shard_replica", 1}, {2}}));
  CHECK(through_the_wire(hand_over_shard{{5}}).token == fencing_token{5});
  auto j = through_the_wire(join{{{"shard_holder", 1}, {2}}, {3}, true, {4}, {{5}}});
  CHECK((j.version == step{3} && j.loaded && j.since == view{4} && j.sums == std::vector<step>{{5}}));
}

TEST_CASE("the greeting is the first type of the registry, so that any version can read it") {
  CHECK(caf::type_id_v<hello> == caf::first_custom_type_id);
  auto h = through_the_wire(hello{"troupe", 7, "1.2.3", "job", "no", 2});
  CHECK((h.magic == "troupe" && h.protocol == 7 && h.version == "1.2.3" && h.job_id == "job" && h.refusal == "no" &&
         h.slots == 2));
}

TEST_CASE("ids of different kinds do not mix and read as what they are") {
  static_assert(!std::is_convertible_v<step, view>);
  static_assert(!std::is_convertible_v<uint64_t, incarnation>);
  register_messages();
  CHECK(to_string(role_id{"agent", 2}) == "agent/2");
  CHECK(step{3}.next() == step{4});
  CHECK(caf::deep_to_string(lease{}).find("lease") != std::string::npos);
}
