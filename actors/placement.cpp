#include "actors/placement.hpp"

#include <algorithm>
#include <cassert>
#include <numeric>

namespace troupe {

placement::placement(const learn::layout& of, uint32_t shards)
  : shard_of_(of.blocks().size()), offset_(of.blocks().size()), blocks_(shards), size_(shards) {
  assert(shards > 0 && shards <= of.blocks().size());
  auto by_size = std::vector<size_t>(of.blocks().size());
  std::iota(by_size.begin(), by_size.end(), size_t{0});
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](size_t a, size_t b) { return of.blocks()[a].size > of.blocks()[b].size; });
  for (auto block : by_size) {
    auto lightest = static_cast<uint32_t>(std::min_element(size_.begin(), size_.end()) - size_.begin());
    shard_of_[block] = lightest;
    blocks_[lightest].push_back(block);
    size_[lightest] += of.blocks()[block].size;
  }
  for (auto& blocks : blocks_) {
    std::sort(blocks.begin(), blocks.end());
    size_t at = 0;
    for (auto block : blocks) {
      offset_[block] = at;
      at += of.blocks()[block].size;
    }
  }
}

} // namespace troupe
