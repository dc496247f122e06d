#include "actors/model_peer.hpp"

namespace troupe {

std::vector<peer_bucket> buckets_of(const learn::layout& layout) {
  constexpr size_t bucket_floats = size_t{256} * 1024;
  auto result = std::vector<peer_bucket>{};
  for (auto b = layout.blocks().size(); b-- > 0;) {
    if (result.empty() || result.back().size >= bucket_floats)
      result.emplace_back();
    auto& bucket = result.back();
    bucket.blocks.insert(bucket.blocks.begin(), {b});
    bucket.size += layout.blocks()[b].size;
  }
  return result;
}

} // namespace troupe
