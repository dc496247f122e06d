#include "actors/placement.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace troupe;

namespace {

learn::layout layout_of(const std::vector<int64_t>& sizes) {
  auto slices = std::vector<learn::slice>{};
  for (auto n : sizes)
    slices.push_back({"s" + std::to_string(slices.size()), {n}, learn::slice_kind::trainable, 0, 0});
  return learn::layout{std::move(slices), 64}; // every slice a block of its own
}

} // namespace

TEST_CASE("every block lies in exactly one shard, aligned and without overlap") {
  auto l = layout_of({1000, 10, 500, 16, 17, 2000, 300});
  for (uint32_t shards = 1; shards <= l.blocks().size(); ++shards) {
    auto p = placement{l, shards};
    auto seen = std::vector<int>(l.blocks().size());
    for (uint32_t s = 0; s < shards; ++s) {
      size_t at = 0;
      for (auto b : p.blocks(s)) {
        CHECK(p.shard_of(b) == s);
        CHECK(p.offset(b) == at);
        CHECK(p.offset(b) % 16 == 0);
        at += l.blocks()[b].size;
        ++seen[b];
      }
      CHECK(p.size(s) == at);
      CHECK_FALSE(p.blocks(s).empty());
    }
    CHECK(seen == std::vector<int>(l.blocks().size(), 1));
  }
}

TEST_CASE("blocks of equal size are spread evenly") {
  auto p = placement{layout_of({64, 64, 64, 64, 64, 64}), 3};
  for (uint32_t s = 0; s < 3; ++s)
    CHECK(p.blocks(s).size() == 2);
}
