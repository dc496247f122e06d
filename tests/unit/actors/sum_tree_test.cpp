#include "actors/sum_tree.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <random>

using namespace troupe;

TEST_CASE("the cover of a range is disjoint, in order and exact, for every range of trees up to 17 leaves") {
  for (uint64_t leaves = 1; leaves <= 17; ++leaves) {
    auto tree = sum_tree{leaves};
    for (uint64_t first = 0; first <= leaves; ++first)
      for (uint64_t last = first; last <= leaves; ++last) {
        auto at = first;
        for (auto& n : tree.cover(first, last)) {
          CHECK(tree.valid(n));
          CHECK(tree.first(n) == at);
          at = tree.last(n);
        }
        CHECK(at == last);
      }
    CHECK(tree.cover(0, leaves) == std::vector{tree.root()});
  }
}

TEST_CASE("every micro-batch has one leaf and every node but the root a sibling that completes its parent") {
  for (uint64_t leaves = 2; leaves <= 33; ++leaves) {
    auto tree = sum_tree{leaves};
    for (uint64_t m = 0; m < leaves; ++m)
      for (auto n = tree.leaf(m); n != tree.root(); n = tree.parent(n)) {
        auto up = tree.parent(n);
        CHECK(tree.valid(n));
        CHECK(tree.first(up) <= tree.first(n));
        CHECK(tree.last(up) - tree.first(up) > tree.last(n) - tree.first(n));
      }
  }
}

TEST_CASE("nodes that are not in the tree are invalid") {
  auto tree = sum_tree{3};
  CHECK_FALSE(tree.valid({0, 3}));
  CHECK_FALSE(tree.valid({3, 0}));
  CHECK_FALSE(tree.valid({0, 2})); // written (1,1)
  CHECK(tree.valid({1, 1}));
  auto sums = partial_sums{3};
  CHECK(sums.insert({0, 7}).verdict == partial_sums::verdict::invalid);
  CHECK(sums.insert({40, 0}).verdict == partial_sums::verdict::invalid);
}

namespace {

// Floating-point sum along the tree with parts arriving in the given order.
float tree_sum(uint64_t leaves, const std::vector<float>& values, const std::vector<tree_node>& order) {
  auto sums = partial_sums{leaves};
  auto held = std::map<tree_node, float>{};
  auto tree = sum_tree{leaves};
  for (auto& n : order) {
    auto inner = partial_sums{leaves}; // what an agent adds up before it pushes
    auto local = std::map<tree_node, float>{};
    for (auto m = tree.first(n); m < tree.last(n); ++m) {
      auto leaf = tree.leaf(m);
      auto c = inner.insert(leaf);
      local[leaf] = values[m];
      for (auto& x : c.merges)
        local[x.into] = local[x.left] + local[x.right];
    }
    auto c = sums.insert(n);
    if (c.verdict != partial_sums::verdict::accepted)
      continue;
    held[n] = local[n];
    for (auto& x : c.merges)
      held[x.into] = held[x.left] + held[x.right];
  }
  REQUIRE(sums.complete());
  return held[sums.tree().root()];
}

} // namespace

TEST_CASE("the sum has the same bits for any split over agents and any order of arrival (R6)") {
  auto random = std::mt19937{7};
  for (int round = 0; round < 300; ++round) {
    auto leaves = uint64_t{1} + random() % 20;
    auto values = std::vector<float>(leaves);
    for (auto& v : values)
      v = static_cast<float>(random() % 100000) * 1e-3f + 1e-7f * static_cast<float>(random() % 1000);
    auto tree = sum_tree{leaves};
    auto whole = tree_sum(leaves, values, {tree.root()});
    for (uint64_t agents : {1u, 2u, 3u, 4u, 8u}) {
      auto parts = std::vector<tree_node>{};
      for (uint64_t a = 0; a < agents; ++a)
        for (auto& n : tree.cover(leaves * a / agents, leaves * (a + 1) / agents))
          parts.push_back(n);
      std::shuffle(parts.begin(), parts.end(), random);
      CHECK(tree_sum(leaves, values, parts) == whole);
    }
  }
}

TEST_CASE("a part that is covered already is a duplicate, and one that covers others replaces them") {
  auto sums = partial_sums{4};
  CHECK(sums.insert({0, 0}).verdict == partial_sums::verdict::accepted);
  CHECK(sums.insert({0, 0}).verdict == partial_sums::verdict::duplicate);
  auto bigger = sums.insert({1, 0});
  CHECK(bigger.verdict == partial_sums::verdict::accepted);
  CHECK(bigger.replaced == std::vector<tree_node>{{0, 0}});
  CHECK(sums.insert({0, 1}).verdict == partial_sums::verdict::duplicate);
  CHECK_FALSE(sums.complete());
  CHECK(sums.insert({1, 1}).merges.size() == 1);
  CHECK(sums.complete());
  CHECK(sums.insert({0, 3}).verdict == partial_sums::verdict::duplicate);
}

TEST_CASE("buckets are added up each for itself, whoever computed which part of one, and no part goes beyond its own") {
  for (uint64_t bucket : {1u, 2u, 4u})
    for (uint64_t leaves = 1; leaves <= 17; ++leaves) {
      auto tree = sum_tree{leaves};
      auto sums = partial_sums{leaves, bucket};
      auto split = leaves / 3;
      for (auto& range : {std::pair{split, leaves}, std::pair{uint64_t{0}, split}})
        for (auto& n : tree.cover(range.first, range.second, bucket)) {
          CHECK_FALSE(sums.complete());
          CHECK(tree.first(n) / bucket == (tree.last(n) - 1) / bucket);
          CHECK(sums.insert(n).verdict == partial_sums::verdict::accepted);
        }
      INFO(leaves << " micro-batches in buckets of " << bucket);
      CHECK(sums.complete());
      for (uint64_t first = 0; first < leaves; first += bucket) {
        auto whole = tree.cover(first, std::min(first + bucket, leaves));
        REQUIRE(whole.size() == 1);
        CHECK(sums.contains(whole.front()));
      }
      if (bucket < leaves)
        CHECK(sums.insert(tree.root()).verdict == partial_sums::verdict::invalid);
    }
}
