#include "actors/ring_core.hpp"

#include <algorithm>
#include <bit>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <deque>
#include <random>

using namespace troupe;

namespace {

// Peers and what is under way between them, with the numbers themselves.
struct ring {
  explicit ring(uint32_t n, const std::vector<ring_bucket>& buckets,
                all_reduce_options how = {all_reduce_schedule::ring}) {
    for (uint32_t i = 0; i < n; ++i) {
      members.push_back({{"agent", i}, {1}});
      members.push_back({{"ring_peer", i}, {1}});
      peers.emplace_back(members.back(), buckets, how);
    }
    publish(1);
    for (uint32_t i = 0; i < n; ++i) {
      auto out = ring_core::actions{};
      REQUIRE(peers[i].on_loaded({0}, {}, out));
      perform(i, out);
    }
  }

  void publish(uint64_t number) {
    for (uint32_t i = 0; i < peers.size(); ++i)
      if (alive(i))
        perform(i, peers[i].on_view({{number}, {}, members, {}, {number}}));
  }

  bool alive(uint32_t i) const { return std::find(members.begin(), members.end(), peers[i].self()) != members.end(); }

  // The agents' leases: contiguous parts in rank order.
  void push(uint32_t i, uint64_t first, uint64_t last) {
    for (auto& node : sum_tree{micro_batches}.cover(first, last))
      for (auto& bucket : peers[i].buckets())
        for (auto block : bucket.blocks) {
          auto out = ring_core::actions{};
          peers[i].on_push({{{"agent", i}, {1}, {1}}, {0}, {0}, block, node, micro_batches, {}}, out);
          perform(i, out);
        }
  }

  void plan(uint64_t since, const std::vector<plan_part>& parts) {
    for (uint32_t i = 0; i < peers.size(); ++i)
      if (alive(i))
        perform(i, peers[i].on_plan({{0}, {since}, micro_batches, parts}));
  }

  // In the order in which they were sent, each message `copies` times.
  void run(int copies = 1) {
    while (!wire.empty()) {
      auto [to, c] = wire.front();
      wire.pop_front();
      for (int i = 0; i < copies && alive(to); ++i)
        perform(to, peers[to].on_chunk(c));
    }
  }

  // In an order drawn from a seed.
  void run_in_any_order(uint32_t seed) {
    auto draw = std::minstd_rand{seed};
    while (!wire.empty()) {
      auto next = wire.begin() + static_cast<ptrdiff_t>(draw() % wire.size());
      auto [to, c] = *next;
      wire.erase(next);
      if (alive(to))
        perform(to, peers[to].on_chunk(c));
    }
  }

  // The last one that was sent comes first.
  void run_backwards() {
    while (!wire.empty()) {
      auto [to, c] = wire.back();
      wire.pop_back();
      perform(to, peers[to].on_chunk(c));
    }
  }

  void perform(uint32_t i, const ring_core::actions& actions) {
    for (auto& a : actions)
      std::visit([&](auto& x) { perform(i, x); }, a);
  }
  void perform(uint32_t i, const ring_core::assemble& a) {
    auto size = peers[i].buckets()[a.bucket].size;
    auto own = std::vector<payload>{};
    for (auto& node : a.nodes)
      own.push_back(sum_of(sum_tree{micro_batches}.first(node), sum_tree{micro_batches}.last(node), size));
    if (!peers[i].keeps_nodes_apart())
      own = {values(size, [&](size_t k) {
        auto sum = 0.0f;
        for (auto& node : own)
          sum += node.as_floats()[k];
        return sum;
      })};
    totals[{i, a.bucket}] = std::vector<float>(size);
    perform(i, peers[i].on_assembled(peers[i].crew_since(), a.bucket, own));
  }
  void perform(uint32_t i, const ring_core::send& s) {
    auto& c = s.what;
    sent[i] += c.values.elements();
    rounds = std::max(rounds, c.round + 1);
    wire.emplace_back(s.to.role.index, c);
  }
  void perform(uint32_t i, const ring_core::reduce& r) {
    auto sum = values(r.left.elements(), [&](size_t k) { return r.left.as_floats()[k] + r.right.as_floats()[k]; });
    perform(i, peers[i].on_reduced(peers[i].crew_since(), peers[i].version(), r.bucket, r.chunk, sum));
  }
  void perform(uint32_t i, const ring_core::join& j) {
    auto both = values(j.where.size(), [&](size_t k) {
      return k < j.left.elements() ? j.left.as_floats()[k] : j.right.as_floats()[k - j.left.elements()];
    });
    perform(i, peers[i].on_reduced(peers[i].crew_since(), peers[i].version(), j.bucket, j.chunk, both));
  }
  void perform(uint32_t i, const ring_core::complete& c) {
    std::ranges::copy(c.values.as_floats(), totals.at({i, c.bucket}).begin() + static_cast<ptrdiff_t>(c.where.first));
  }
  void perform(uint32_t i, const ring_core::measure& m) {
    measured += peers[i].on_norms(peers[i].crew_since(), m.at, {{{0}, 1, true}});
  }
  void perform(uint32_t, const ring_core::ask_plan&) { ++asked; }
  void perform(uint32_t, const ring_core::fetch_model&) {}
  void perform(uint32_t, const ring_core::start_over&) {}

  // No two orders of summation give the same bits.
  static float part(uint32_t i, size_t k) { return 1.0f / static_cast<float>(3 * i + k % 7 + 1); }

  template <class Value>
  static payload values(size_t n, const Value& value) {
    auto result = payload::floats(n);
    for (size_t k = 0; k < n; ++k)
      result.mutable_floats()[k] = value(k);
    return result;
  }

  // The serial sum over the tree: of two halves, of which the first is a power of two.
  static payload sum_of(uint64_t first, uint64_t last, size_t n) {
    if (last == first + 1)
      return values(n, [&](size_t k) { return part(static_cast<uint32_t>(first), k); });
    auto middle = first + std::bit_ceil(last - first) / 2;
    auto left = sum_of(first, middle, n);
    auto right = sum_of(middle, last, n);
    return values(n, [&](size_t k) { return left.as_floats()[k] + right.as_floats()[k]; });
  }

  void reduce_a_step() {
    auto w = static_cast<uint32_t>(peers.size());
    auto parts = std::vector<plan_part>{};
    for (uint32_t i = 0; i < w; ++i)
      parts.push_back({micro_batches * i / w, micro_batches * (i + 1) / w, i});
    for (auto& p : parts)
      push(p.rank, p.first, p.last);
    plan(1, parts);
  }

  // Each bit is that of the serial sum.
  void check_bits(uint32_t i) const {
    for (uint32_t b = 0; b < peers[i].buckets().size(); ++b)
      CHECK(std::ranges::equal(totals.at({i, b}), sum_of(0, micro_batches, totals.at({i, b}).size()).as_floats()));
  }

  void check_totals() const {
    for (auto& [key, total] : totals) {
      CHECK(total == totals.at({0, key.second})); // every bit
      for (size_t k = 0; k < total.size(); k += 5) {
        auto sum = 0.0;
        for (uint32_t i = 0; i < micro_batches; ++i)
          sum += part(i, k);
        CHECK_THAT(total[k], Catch::Matchers::WithinRel(sum, 1e-5));
      }
    }
  }

  uint64_t micro_batches = 8;
  std::vector<member> members;
  std::vector<ring_core> peers;
  std::deque<std::pair<uint32_t, ring_chunk>> wire;
  std::map<uint32_t, size_t> sent;
  uint32_t rounds = 0;
  std::map<std::pair<uint32_t, uint32_t>, std::vector<float>> totals; // by peer and bucket
  int measured = 0;
  int asked = 0;
};

const all_reduce_options along_the_tree{.schedule = {}, .reproducible = true};
const std::vector<all_reduce_options> every_way{{all_reduce_schedule::ring},
                                                {all_reduce_schedule::doubling},
                                                {all_reduce_schedule::halving},
                                                {all_reduce_schedule::pairwise},
                                                along_the_tree};

std::vector<ring_bucket> two_buckets() {
  return {{{{1}, {2}}, 96}, {{{0}}, 160}};
}

} // namespace

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
  for (uint32_t few : {1u, 2u, 7u}) {
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
  auto refused = [&, to = to](ring_chunk c) {
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
