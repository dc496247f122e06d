#pragma once

#include <cstdint>
#include <vector>

#include "learn/layout.hpp"

namespace troupe {

/// Which shard holder owns which blocks, and where each block lies in its shard's buffer. A pure function of the layout
/// and the number of shards, so that every node works it out alike.
class placement {
public:
  /// Largest block first, each to the shard with the fewest floats so far. `shards` must be at least 1 and at most the
  /// number of blocks.
  placement(const learn::layout& of, uint32_t shards);

  [[nodiscard]] uint32_t shards() const { return static_cast<uint32_t>(blocks_.size()); }
  [[nodiscard]] uint32_t shard_of(size_t block) const { return shard_of_[block]; }
  /// Blocks of a shard, ascending.
  [[nodiscard]] const std::vector<size_t>& blocks(uint32_t shard) const { return blocks_[shard]; }
  /// Float at which a block begins in its shard's buffer; a multiple of 16.
  [[nodiscard]] size_t offset(size_t block) const { return offset_[block]; }
  /// Floats of a shard's buffer.
  [[nodiscard]] size_t size(uint32_t shard) const { return size_[shard]; }

private:
  std::vector<uint32_t> shard_of_;
  std::vector<size_t> offset_;
  std::vector<std::vector<size_t>> blocks_;
  std::vector<size_t> size_;
};

} // namespace troupe
