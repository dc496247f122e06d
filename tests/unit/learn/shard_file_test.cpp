#include "learn/data/shard_file.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstring>

#include "tests/unit/learn/failing_file_system.hpp"
#include "tests/unit/learn/scratch_folder.hpp"

using namespace troupe;
using namespace troupe::learn;
using namespace troupe::test;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr id_range which{30, 37};
constexpr size_t sample_bytes = 5;

struct content {
  std::vector<std::byte> values = std::vector<std::byte>(7 * sample_bytes);
  std::vector<int32_t> labels = {1, 2, 3, 4, 5, 6, 7};
  content() {
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<std::byte>(i * 37);
  }
  [[nodiscard]] stored_samples all() const { return {values.data(), labels.data(), nullptr}; }
};

std::string refusal(const std::filesystem::path& file, id_range of = which, size_t bytes_each = sample_bytes) {
  const auto opened = open_shard_file(file, of, bytes_each);
  return opened ? std::string{} : opened.error().sentence;
}

} // namespace

TEST_CASE("a shard is read from its file as it was written, and its checksum is that of the samples") {
  const scratch_folder folder;
  const content shard;
  const auto file = folder / "shard";
  CHECK_FALSE(open_shard_file(file, which, sample_bytes).value()); // not there yet
  REQUIRE(write_shard_file(file_system::real(), file, which, sample_bytes, shard.all()));
  auto opened = open_shard_file(file, which, sample_bytes);
  REQUIRE((opened && *opened));
  const auto& samples = (*opened)->samples;
  CHECK(samples.in_file);
  CHECK((*opened)->checksum == checksum_of(shard.all(), 7, sample_bytes));
  std::filesystem::remove(file); // what is mapped stays
  CHECK(std::memcmp(samples.values, shard.values.data(), shard.values.size()) == 0);
  CHECK(std::memcmp(samples.labels, shard.labels.data(), 7 * sizeof(int32_t)) == 0);
}

TEST_CASE("a shard file is refused wherever a byte is another one and wherever it is cut") {
  const scratch_folder folder;
  const auto file = folder / "shard";
  REQUIRE(write_shard_file(file_system::real(), file, which, sample_bytes, content{}.all()));
  const auto whole = read_file(file);
  for (size_t at = 0; at < whole.size(); ++at) {
    auto other = whole;
    other[at] ^= 1;
    write_file(file, other);
    CHECK_THAT(refusal(file), ContainsSubstring("is damaged"));
    write_file(file, std::span{whole}.first(at));
    CHECK_THAT(refusal(file), ContainsSubstring("it is torn"));
  }
  write_file(file, whole);
  CHECK(refusal(file).empty());
  CHECK_THAT(refusal(file, {29, 36}), ContainsSubstring("no shard with the samples from 29 to 35"));
  CHECK_THAT(refusal(file, which, 6), ContainsSubstring("of another data set"));
}

TEST_CASE("a shard file that cannot be written leaves the one before, or the new one, whole") {
  const scratch_folder folder;
  const auto file = folder / "shard";
  const content shard;
  auto other = shard;
  other.values[3] ^= std::byte{1};
  bool failed = true;
  for (int nth = 1; failed; ++nth) {
    REQUIRE(nth < 100);
    REQUIRE(write_shard_file(file_system::real(), file, which, sample_bytes, shard.all()));
    failing_file_system disk{nth, failing_file_system::then::goes_on};
    failed = !write_shard_file(disk, file, which, sample_bytes, other.all());
    const auto opened = open_shard_file(file, which, sample_bytes);
    REQUIRE((opened && *opened));
    const auto found = (*opened)->checksum;
    CHECK((found == checksum_of(other.all(), 7, sample_bytes) ||
           (failed && found == checksum_of(shard.all(), 7, sample_bytes))));
  }
}
