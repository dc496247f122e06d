#pragma once

#include <algorithm>
#include <bit>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <deque>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "actors/ring_core.hpp"

namespace troupe::test {

/// Ring peers and what is under way between them, with the numbers themselves.
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

inline const all_reduce_options along_the_tree{.schedule = {}, .reproducible = true};

inline std::vector<ring_bucket> two_buckets() {
  return {{{{1}, {2}}, 96}, {{{0}}, 160}};
}

} // namespace troupe::test
