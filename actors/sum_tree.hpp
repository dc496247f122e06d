#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "messages/training.hpp"

namespace troupe {

/// The fixed binary tree over the micro-batches of one step (R6). A sum that follows it has the same bits whoever
/// computed which part and in whatever order the parts arrive.
class sum_tree {
public:
  /// `leaves`: micro-batches of the step, at least 1.
  explicit sum_tree(uint64_t leaves);

  [[nodiscard]] uint64_t leaves() const { return leaves_; }
  [[nodiscard]] tree_node root() const;
  /// First micro-batch below a node, and one past its last.
  [[nodiscard]] uint64_t first(tree_node n) const;
  [[nodiscard]] uint64_t last(tree_node n) const;
  /// A node of this tree, in its one spelling: where a right child would be empty, the parent stands for the left
  /// child.
  [[nodiscard]] bool valid(tree_node n) const;
  /// The node of micro-batch `index` alone, in that spelling.
  [[nodiscard]] tree_node leaf(uint64_t index) const;
  /// The fewest nodes that cover exactly [first, last), in order: what an agent with that lease pushes. `bucket`: none
  /// goes beyond one bucket of so many micro-batches, a power of two; 0: there are no buckets.
  [[nodiscard]] std::vector<tree_node> cover(uint64_t first, uint64_t last, uint64_t bucket = 0) const;

  [[nodiscard]] tree_node parent(tree_node n) const;
  [[nodiscard]] tree_node sibling(tree_node n) const;

private:
  tree_node raise(tree_node n) const;

  uint64_t leaves_;
  uint32_t root_level_;
};

/// Which partial sums of a block are in. Pure bookkeeping: whoever holds the values carries out the merges.
class partial_sums {
public:
  /// `bucket`: micro-batches, a power of two, that are added up; the sums of buckets stay apart. 0: all are added up.
  explicit partial_sums(uint64_t leaves, uint64_t bucket = 0) : tree_(leaves), bucket_(bucket) {}

  enum class verdict { accepted, duplicate, invalid };

  /// `into` = `left` + `right`, after which both are gone.
  struct merge {
    tree_node left;
    tree_node right;
    tree_node into;
  };

  struct change {
    partial_sums::verdict verdict = verdict::duplicate;
    std::vector<tree_node> replaced; ///< parts of the new sum that were here already: forget their values
    std::vector<merge> merges;       ///< to carry out in this order, after storing the new value
  };

  /// A part arrives. What is covered by a part that is here is a duplicate; what covers parts that are here replaces
  /// them (it has the same bits).
  change insert(tree_node n);

  [[nodiscard]] bool contains(tree_node n) const { return present_.contains(n); }
  [[nodiscard]] bool complete() const;
  [[nodiscard]] const sum_tree& tree() const { return tree_; }
  /// Takes a part out, for whoever passes it on.
  void remove(tree_node n) { present_.erase(n); }

private:
  [[nodiscard]] std::vector<tree_node> below(tree_node n) const;
  [[nodiscard]] bool is_whole(tree_node n) const;

  sum_tree tree_;
  uint64_t bucket_;
  std::set<tree_node> present_;
};

} // namespace troupe
