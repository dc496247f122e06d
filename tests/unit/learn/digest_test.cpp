#include "learn/digest.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <string_view>

#include "learn/flat.hpp"

using namespace troupe::learn;

namespace {

std::string hash_of(std::string_view text) {
  sha256 hash;
  hash.update(std::as_bytes(std::span{text}));
  return hash.hex();
}

} // namespace

TEST_CASE("SHA-256 gives the known answers of FIPS 180, whole and in pieces") {
  CHECK(hash_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hash_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  sha256 pieces;
  for (const std::string_view part : {"a", "", "bc"})
    pieces.update(std::as_bytes(std::span{part}));
  CHECK(pieces.hex() == hash_of("abc"));
}

TEST_CASE("the digest of weights is the one that its comment describes") {
  const layout of{{{.name = "ab", .dims = {2, 1}}}};
  flat values{of.size()};
  values.data()[0] = 1.5f;
  values.data()[1] = -2;
  std::string bytes;
  const auto number = [&bytes](uint64_t n) { bytes.append(reinterpret_cast<const char*>(&n), 8); };
  number(2);
  bytes += "ab";
  number(2);
  number(2);
  number(1);
  bytes.append(reinterpret_cast<const char*>(values.data()), 8);
  CHECK(weights_sha256(of, values.values()) == hash_of(bytes));
}

TEST_CASE("the digest of weights sees every value, name and shape, but neither padding nor blocks") {
  const std::vector<slice> slices{{.name = "a", .dims = {3, 7}},
                                  {.name = "b", .dims = {40}},
                                  {.name = "m", .dims = {5}, .kind = slice_kind::statistic}};
  const layout of{slices};
  flat values{of.size()};
  const std::string zeros = weights_sha256(of, values.values());
  for (const slice& s : of.slices())
    for (size_t i = 0; i < s.size; ++i) {
      values.data()[s.offset + i] = 1;
      CHECK(weights_sha256(of, values.values()) != zeros);
      values.data()[s.offset + i] = 0;
    }
  values.data()[of.slices()[0].size] = 1; // padding
  CHECK(weights_sha256(of, values.values()) == zeros);

  const layout small_blocks{slices, 64};
  REQUIRE(small_blocks.blocks().size() == 3);
  CHECK(weights_sha256(small_blocks, values.values()) == zeros);

  auto renamed = slices;
  renamed[1].name = "c";
  CHECK(weights_sha256(layout{renamed}, values.values()) != zeros);
  auto reshaped = slices;
  reshaped[0].dims = {7, 3};
  CHECK(weights_sha256(layout{reshaped}, values.values()) != zeros);
  CHECK(layout_sha256(layout{reshaped}) != layout_sha256(of));
  CHECK(layout_sha256(small_blocks) == layout_sha256(of));
}
