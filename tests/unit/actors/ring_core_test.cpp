#include "actors/ring_core.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include "tests/unit/actors/ring_world.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

const std::vector<all_reduce_options> every_way{{all_reduce_schedule::ring},
                                                {all_reduce_schedule::doubling},
                                                {all_reduce_schedule::halving},
                                                {all_reduce_schedule::pairwise},
                                                along_the_tree};

} // namespace

TEST_CASE("chunks that come twice count once, and those that come in another order make the same bits") {
  for (auto how : every_way)
    for (uint32_t w : {2u, 3u, 4u, 6u}) {
      auto in_order = ring{w, two_buckets(), how};
      in_order.reduce_a_step();
      in_order.run();
      auto twice = ring{w, two_buckets(), how};
      twice.reduce_a_step();
      twice.run(2);
      auto backwards = ring{w, two_buckets(), how};
      backwards.reduce_a_step();
      backwards.run_backwards();
      for (auto* r : {&twice, &backwards}) {
        CHECK(r->measured == static_cast<int>(w));
        CHECK(r->totals == in_order.totals);
      }
      for (auto& p : twice.peers)
        CHECK(p.dropped() > 0);
    }
}

TEST_CASE("what is lost by the way is sent again when nothing comes") {
  for (auto how : every_way)
    for (uint32_t w : {2u, 3u, 5u}) {
      auto r = ring{w, two_buckets(), how};
      r.reduce_a_step();
      for (int rounds = 0; r.measured < static_cast<int>(w); ++rounds) {
        REQUIRE(rounds < 64);
        for (size_t i = 0; !r.wire.empty(); ++i) { // every third one comes
          auto [to, c] = r.wire.front();
          r.wire.pop_front();
          if (i % 3 == static_cast<size_t>(rounds) % 3)
            r.perform(to, r.peers[to].on_chunk(c));
        }
        for (uint32_t i = 0; i < w; ++i)
          r.perform(i, r.peers[i].on_tick());
      }
      r.check_totals();
    }
}

TEST_CASE("a chunk from a peer that does not send it, of a round that is not, or of another size is dropped") {
  auto r = ring{4, two_buckets(), {all_reduce_schedule::doubling}};
  r.reduce_a_step();
  auto [to, good] = r.wire.front();
  auto refused = [&, to = to](const ring_chunk& c) {
    auto before = r.peers[to].dropped();
    return r.peers[to].on_chunk(c).empty() && r.peers[to].dropped() == before + 1;
  };
  auto bad = good;
  bad.from.role.index = (good.from.role.index + 2) % 4;
  CHECK(refused(bad));
  bad = good;
  bad.round = 9;
  CHECK(refused(bad));
  bad = good;
  bad.chunk = 1;
  CHECK(refused(bad));
  bad = good;
  bad.bucket = 2;
  CHECK(refused(bad));
  bad = good;
  bad.values = payload::floats(16);
  CHECK(refused(bad));
  CHECK_FALSE(refused(good));
}

TEST_CASE(
  "when a peer dies inside a step the ring forms again and the step is reduced from what the others have kept") {
  auto how = GENERATE(from_range(every_way));
  auto r = ring{3, two_buckets(), how};
  auto parts = std::vector<plan_part>{{0, 3, 0}, {3, 6, 1}, {6, 8, 2}};
  r.plan(1, parts);
  r.push(0, 0, 3);
  r.push(1, 3, 6);
  r.run(); // peer 2 has not added its part
  CHECK(r.measured == 0);
  std::erase_if(r.members, [](auto& m) { return m.role.index == 2; });
  r.publish(2);
  r.push(1, 6, 8);  // agent 1 has the lease of the one that is gone
  r.plan(1, parts); // late: of the ring before
  r.plan(2, {{0, 3, 0}, {3, 6, 1}, {6, 8, 1}});
  r.run();
  CHECK(r.measured == 2);
  for (uint32_t i = 0; i < 2; ++i)
    if (how.reproducible)
      r.check_bits(i);
}

TEST_CASE("a plan that leaves micro-batches to nobody, or a sum with something missing, is not applied (R4)") {
  auto how = GENERATE(from_range(every_way));
  auto r = ring{2, two_buckets(), how};
  r.push(0, 0, 4);
  r.plan(1, {{0, 4, 0}});
  r.run();
  CHECK(r.measured == 0);
  CHECK_FALSE(r.peers[0].on_commit({.view = {1}, .at = {0}, .version = {0}, .crew_since = {1}}));
  CHECK(r.peers[0].dropped() > 0);

  auto short_of_one = ring{2, two_buckets(), how};
  short_of_one.reduce_a_step();
  for (auto& [to, c] : short_of_one.wire)
    --c.covered;
  short_of_one.run();
  CHECK(short_of_one.measured == 0);
}

TEST_CASE("a commit of another ring's sum is not applied, and a peer that is behind gets the model from another one") {
  auto r = ring{2, two_buckets()};
  r.push(0, 0, 4);
  r.push(1, 4, 8);
  r.plan(1, {{0, 4, 0}, {4, 8, 1}});
  r.run();
  CHECK_FALSE(r.peers[0].on_commit({.view = {1}, .at = {0}, .version = {0}, .crew_since = {}}));
  CHECK(r.peers[0].on_commit({.view = {1}, .at = {0}, .version = {0}, .crew_since = {1}}));
  r.peers[0].on_applied();
  CHECK(r.peers[0].version() == step{1});
  auto behind = r.peers[1].on_view({{1}, {1}, r.members, {}, {1}});
  REQUIRE(behind.size() == 1);
  auto* fetch = std::get_if<ring_core::fetch_model>(&behind[0]);
  REQUIRE(fetch);
  CHECK(fetch->from == r.peers[0].self());
  CHECK(fetch->version == step{1});
}

TEST_CASE("what was sent to a peer before it could be reached is sent again when it can") {
  auto r = ring{2, two_buckets()};
  r.push(0, 0, 4);
  r.plan(1, {{0, 4, 0}, {4, 8, 1}});
  r.wire.clear();
  CHECK(r.peers[0].on_bound({{"ring_peer", 1}, {2}}).empty()); // of a ring that is not known yet
  CHECK(r.peers[0].on_bound(r.peers[0].self()).empty());
  auto again = r.peers[0].on_bound(r.peers[1].self());
  REQUIRE(again.size() == 2); // a chunk of each bucket
  CHECK(std::get<ring_core::send>(again[0]).to == r.peers[1].self());
}
