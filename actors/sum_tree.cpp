#include "actors/sum_tree.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

namespace troupe {

sum_tree::sum_tree(uint64_t leaves) : leaves_(leaves), root_level_(static_cast<uint32_t>(std::bit_width(leaves - 1))) {
  assert(leaves > 0);
}

tree_node sum_tree::root() const {
  return {root_level_, 0};
}

uint64_t sum_tree::first(tree_node n) const {
  return n.index << n.level;
}

uint64_t sum_tree::last(tree_node n) const {
  return std::min((n.index + 1) << n.level, leaves_);
}

// Lifts a node to the highest level at which it still covers the same micro-batches.
tree_node sum_tree::raise(tree_node n) const {
  while (n.level < root_level_ && n.index % 2 == 0 && ((n.index + 1) << n.level) >= leaves_)
    n = {n.level + 1, n.index / 2};
  return n;
}

bool sum_tree::valid(tree_node n) const {
  return n.level <= root_level_ && n.index <= (leaves_ >> n.level) && first(n) < leaves_ && raise(n) == n;
}

tree_node sum_tree::leaf(uint64_t index) const {
  assert(index < leaves_);
  return raise({0, index});
}

tree_node sum_tree::parent(tree_node n) const {
  return raise({n.level + 1, n.index / 2});
}

tree_node sum_tree::sibling(tree_node n) const {
  // A right sibling may be written at a higher level than the left one, where the tree is cut off.
  return raise({n.level, n.index ^ 1});
}

std::vector<tree_node> sum_tree::cover(uint64_t from, uint64_t to, uint64_t bucket) const {
  assert(from <= to && to <= leaves_);
  auto result = std::vector<tree_node>{};
  while (from < to) {
    auto end = bucket == 0 ? to : std::min(to, (from / bucket + 1) * bucket);
    auto n = leaf(from);
    while (n != root() && first(parent(n)) == from && last(parent(n)) <= end)
      n = parent(n);
    result.push_back(n);
    from = last(n);
  }
  return result;
}

// A part of a node is written at a lower level than the node.
std::vector<tree_node> partial_sums::below(tree_node n) const {
  auto result = std::vector<tree_node>{};
  for (uint32_t level = 0; level < n.level; ++level) {
    auto end = ((tree_.last(n) - 1) >> level) + 1;
    for (auto i = present_.lower_bound({level, tree_.first(n) >> level});
         i != present_.end() && i->level == level && i->index < end; ++i)
      result.push_back(*i);
  }
  return result;
}

// Of all, or of a bucket: nothing is added to it.
bool partial_sums::is_whole(tree_node n) const {
  if (bucket_ == 0)
    return n == tree_.root();
  return tree_.first(n) % bucket_ == 0 &&
         (tree_.last(n) - tree_.first(n) == bucket_ || tree_.last(n) == tree_.leaves());
}

bool partial_sums::complete() const {
  auto whole = std::count_if(present_.begin(), present_.end(), [this](tree_node n) { return is_whole(n); });
  auto wanted = bucket_ == 0 ? 1 : (tree_.leaves() - 1) / bucket_ + 1;
  return static_cast<uint64_t>(whole) == wanted;
}

partial_sums::change partial_sums::insert(tree_node n) {
  auto result = change{};
  if (!tree_.valid(n) || (bucket_ != 0 && tree_.first(n) / bucket_ != (tree_.last(n) - 1) / bucket_)) {
    result.verdict = verdict::invalid;
    return result;
  }
  for (auto up = n; !present_.empty(); up = tree_.parent(up)) {
    if (present_.contains(up))
      return result; // covered: a duplicate
    if (up == tree_.root())
      break;
  }
  result.replaced = below(n);
  for (auto& gone : result.replaced)
    present_.erase(gone);
  present_.insert(n);
  result.verdict = verdict::accepted;
  while (!is_whole(n)) {
    auto up = tree_.parent(n);
    auto left = tree_.first(n) == tree_.first(up);
    auto partner = tree_.sibling(n); // covers what the parent covers beyond `n`
    if (!present_.contains(partner))
      break;
    result.merges.push_back(left ? merge{n, partner, up} : merge{partner, n, up});
    present_.erase(partner);
    present_.erase(n);
    present_.insert(up);
    n = up;
  }
  return result;
}

} // namespace troupe
