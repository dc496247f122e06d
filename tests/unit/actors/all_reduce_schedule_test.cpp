#include "actors/all_reduce_schedule.hpp"

#include <bit>
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/actors/ring_world.hpp"

using namespace troupe;
using namespace troupe::test;

TEST_CASE("around the ring every peer gets the same sum, in 2(w-1) rounds of 2n(w-1)/w floats") {
  for (uint32_t w : {1u, 2u, 3u, 4u, 7u}) {
    auto r = ring{w, two_buckets()};
    CHECK(r.asked == static_cast<int>(w));
    r.reduce_a_step();
    r.run();
    CHECK(r.measured == static_cast<int>(w));
    r.check_totals();
    CHECK(r.rounds == 2 * (w - 1));
    size_t sent = 0;
    for (auto& [i, n] : r.sent)
      sent += n;
    CHECK(sent == 2ul * 256 * (w - 1));
  }
}

TEST_CASE("by doubling every peer gets the same sum, in log2 w rounds, and two more where w is no power of two") {
  for (auto [w, rounds] : {std::pair{1u, 0u}, {2u, 1u}, {3u, 3u}, {4u, 2u}, {5u, 4u}, {6u, 4u}, {7u, 4u}, {8u, 3u}}) {
    auto r = ring{w, two_buckets(), {all_reduce_schedule::doubling}};
    r.reduce_a_step();
    r.run();
    CHECK(r.measured == static_cast<int>(w));
    r.check_totals();
    auto fold_in_is_idle = std::has_single_bit(w);
    CHECK(r.rounds == (w == 1 ? 0 : rounds + (fold_in_is_idle ? 1 : 0)));
    for (auto& [i, n] : r.sent)
      CHECK(n <= 256ul * rounds);
  }
}

TEST_CASE("by halving every peer gets the same sum, in 2 log2 w rounds of 2n(w-1)/w floats where w is a power of two") {
  for (uint32_t w = 1; w <= 9; ++w) {
    auto r = ring{w, two_buckets(), {all_reduce_schedule::halving}};
    r.micro_batches = 16;
    r.reduce_a_step();
    r.run_in_any_order(w);
    CHECK(r.measured == static_cast<int>(w));
    r.check_totals();
    auto power = std::bit_floor(w);
    auto halvings = static_cast<uint32_t>(std::bit_width(power)) - 1;
    CHECK(r.rounds == (w == 1 ? 0 : 1 + 2 * halvings + (w == power ? 0 : 1))); // the first is of the pairs
    size_t sent = 0;
    for (auto& [i, n] : r.sent)
      sent += n;
    CHECK(sent == 2ul * 256 * (power - 1) + 2ul * 256 * (w - power));
  }
}

TEST_CASE("pairwise every peer gets the same sum, in two rounds of 2n(w-1)/w floats") {
  for (uint32_t w = 1; w <= 7; ++w) {
    auto r = ring{w, two_buckets(), {all_reduce_schedule::pairwise}};
    r.reduce_a_step();
    r.run_in_any_order(w);
    CHECK(r.measured == static_cast<int>(w));
    r.check_totals();
    size_t sent = 0;
    for (auto& [i, n] : r.sent)
      sent += n;
    CHECK(sent == 2ul * 256 * (w - 1));
  }
}

TEST_CASE("along the tree every peer gets the bits of the serial sum, however many there are") {
  for (uint64_t leaves : {8, 11, 13})
    for (uint32_t w = 1; w <= 8; ++w)
      for (uint32_t seed = 0; seed < 5; ++seed) {
        auto r = ring{w, two_buckets(), along_the_tree};
        r.micro_batches = leaves;
        r.reduce_a_step();
        r.run_in_any_order(seed);
        CHECK(r.measured == static_cast<int>(w));
        size_t sent = 0;
        for (uint32_t i = 0; i < w; ++i) {
          r.check_bits(i);
          sent += r.sent[i];
        }
        if (leaves == 8 && std::has_single_bit(w)) // a node each
          CHECK(sent == 2ul * 256 * (w - 1));
      }
}

TEST_CASE("along the tree the bits do not tell who had which micro-batches, and a peer may have none of them") {
  for (auto& parts : std::vector<std::vector<plan_part>>{
         {{0, 1, 2}, {1, 7, 0}, {7, 8, 1}}, {{3, 8, 0}, {0, 3, 0}}, {{5, 8, 1}, {0, 2, 1}, {2, 5, 2}}}) {
    auto r = ring{3, two_buckets(), along_the_tree};
    for (auto& p : parts)
      r.push(p.rank, p.first, p.last);
    r.plan(1, parts);
    r.run_in_any_order(1);
    CHECK(r.measured == 3);
    for (uint32_t i = 0; i < 3; ++i)
      r.check_bits(i);
  }
}

TEST_CASE("along the tree what comes before the plan is kept for it") {
  auto r = ring{2, two_buckets(), along_the_tree};
  auto parts = std::vector<plan_part>{{0, 4, 0}, {4, 8, 1}};
  r.push(0, 0, 4);
  r.push(1, 4, 8);
  r.perform(0, r.peers[0].on_plan({{0}, {1}, 8, parts}));
  r.run();
  CHECK(r.peers[1].dropped() == 0);
  CHECK(r.measured == 0);
  r.perform(1, r.peers[1].on_plan({{0}, {1}, 8, parts}));
  r.run();
  CHECK(r.measured == 2);
  r.check_bits(0);
  r.check_bits(1);
}

TEST_CASE("along the tree a plan with parts of somebody who is not there, or that overlap, brings no sum (R4)") {
  for (auto& parts :
       std::vector<std::vector<plan_part>>{{{0, 4, 0}, {4, 8, 2}}, {{0, 5, 0}, {3, 6, 1}}, {{0, 4, 0}, {5, 9, 1}}}) {
    auto r = ring{2, two_buckets(), along_the_tree};
    for (auto& p : parts)
      if (p.rank < 2 && p.last <= 8)
        r.push(p.rank, p.first, p.last);
    r.plan(1, parts);
    CHECK(r.wire.empty());
    r.perform(0, r.peers[0].on_tick()); // something has come
    auto asked = r.asked;
    r.perform(0, r.peers[0].on_tick());
    CHECK(r.asked > asked);
  }
}

TEST_CASE("the size of the whole gradient decides how it is reduced, and how many peers there are") {
  CHECK(ring{4, two_buckets(), {}}.peers[0].schedule() == all_reduce_schedule::doubling);
  using enum all_reduce_schedule; // hides the test's ring
  CHECK(schedule_of((size_t{1} << 21) - 1, 2) == doubling);
  CHECK(schedule_of(size_t{1} << 21, 2) == pairwise);
  for (uint32_t few : {3u, 7u}) {
    CHECK(schedule_of((size_t{1} << 19) - 1, few) == doubling);
    CHECK(schedule_of(size_t{1} << 19, few) == pairwise);
  }
  for (uint32_t power : {8u, 16u, 64u}) {
    CHECK(schedule_of(32 << 10, power) == doubling);
    CHECK(schedule_of(64 << 10, power) == halving);
    CHECK(schedule_of(64 << 20, power) == halving);
  }
  CHECK(schedule_of(32 << 10, 12) == doubling); // some of them wait for others to speak for them
  CHECK(schedule_of(128 << 10, 12) == halving);
  CHECK(schedule_of(256 << 10, 12) == ring);
}

TEST_CASE("a chunk begins where vectors are aligned, and chunks are a partition of the bucket") {
  for (size_t size : {16, 96, 1000})
    for (uint32_t w : {1u, 3u, 7u}) {
      size_t at = 0;
      for (uint32_t c = 0; c < w; ++c) {
        auto range = chunk_range::of(size, w, c);
        CHECK(range.first == at);
        CHECK(range.first % 16 == 0);
        at = range.last;
      }
      CHECK(at == size);
    }
}
