#include "learn/layout.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace troupe::learn;

namespace {

layout example(size_t block_bytes) {
  return layout({{.name = "conv.weight", .dims = {4, 3, 3, 3}},
                 {.name = "norm.running_mean", .dims = {4}, .kind = slice_kind::statistic},
                 {.name = "norm.weight", .dims = {4}},
                 {.name = "fc.weight", .dims = {10, 32}},
                 {.name = "scalar", .dims = {}}},
                block_bytes);
}

} // namespace

TEST_CASE("Trainable slices come first, in order, and every slice starts on a 64-byte line") {
  const auto l = example(4096);
  REQUIRE(l.slices().size() == 5);
  CHECK(l.slices()[0].name == "conv.weight");
  CHECK(l.slices()[1].name == "norm.weight");
  CHECK(l.slices()[2].name == "fc.weight");
  CHECK(l.slices()[3].name == "scalar");
  CHECK(l.slices()[4].name == "norm.running_mean");
  CHECK(l.slices()[0].offset == 0);
  CHECK(l.slices()[0].size == 108);
  CHECK(l.slices()[1].offset == 112);
  CHECK(l.slices()[2].offset == 128);
  CHECK(l.slices()[3].offset == 448);
  CHECK(l.slices()[3].size == 1);
  CHECK(l.slices()[4].offset == 464);
  CHECK(l.size() == 480);
  CHECK(l.parameters() == 108 + 4 + 320 + 1);
}

TEST_CASE("Blocks cover the buffer without gaps, never cut a slice and never mix kinds") {
  for (size_t bytes : {size_t{1}, size_t{512}, size_t{2048}, size_t{1} << 20}) {
    const auto l = example(bytes);
    size_t offset = 0;
    size_t first = 0;
    for (size_t i = 0; i < l.blocks().size(); ++i) {
      const auto& b = l.blocks()[i];
      CHECK(b.offset == offset);
      CHECK(b.first == first);
      CHECK(b.last > b.first);
      CHECK((b.size * sizeof(float) <= bytes || b.last == b.first + 1));
      for (size_t s = b.first; s < b.last; ++s) {
        CHECK(l.slices()[s].kind == b.kind);
        CHECK(l.block_of(s) == i);
      }
      offset += b.size;
      first = b.last;
    }
    CHECK(offset == l.size());
    CHECK(first == l.slices().size());
  }
}

TEST_CASE("A slice is found by its name, and a name nobody has finds nothing") {
  const auto l = example(4096);
  REQUIRE(l.find("fc.weight") != nullptr);
  CHECK(l.find("fc.weight")->offset == 128);
  CHECK(l.find("fc.bias") == nullptr);
}
