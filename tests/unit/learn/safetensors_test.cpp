#include "learn/safetensors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstring>
#include <limits>
#include <set>

#include "learn/digest.hpp"
#include "learn/draws.hpp"
#include "learn/safetensors_header.hpp"
#include "tests/unit/learn/failing_file_system.hpp"
#include "tests/unit/learn/scratch_folder.hpp"

using namespace troupe::learn;
using namespace troupe::test;
using Catch::Matchers::ContainsSubstring;

namespace {

layout small_layout() {
  return layout{{{.name = "conv.weight", .dims = {2, 1, 3, 3}},
                 {.name = "bn.weight", .dims = {2}},
                 {.name = "bn.running_mean", .dims = {2}, .kind = slice_kind::statistic},
                 {.name = "bn.running_var", .dims = {2}, .kind = slice_kind::statistic}}};
}

flat numbered(const layout& of) {
  flat values{of.size()};
  float next = .5f;
  for (const slice& s : of.slices())
    for (size_t i = 0; i < s.size; ++i)
      values.data()[s.offset + i] = next++;
  return values;
}

bytes file_of(const std::string& header, size_t data_bytes) {
  bytes out(8 + header.size() + data_bytes);
  const uint64_t length = header.size();
  std::memcpy(out.data(), &length, 8);
  std::memcpy(out.data() + 8, header.data(), header.size());
  return out;
}

std::string refusal_of_bytes(const bytes& content, const layout& of = small_layout()) {
  const scratch_folder folder;
  write_file(folder / "w.safetensors", content);
  const auto read = read_safetensors(folder / "w.safetensors", of);
  REQUIRE_FALSE(read);
  CHECK_THAT(read.error().sentence, ContainsSubstring("w.safetensors"));
  return read.error().sentence;
}

const layout one_slice{{{.name = "a", .dims = {2}}}};

std::string refusal_of(const std::string& header, size_t data_bytes = 8) {
  return refusal_of_bytes(file_of(header, data_bytes), one_slice);
}

} // namespace

TEST_CASE("weights written as safetensors are read back bit by bit") {
  const scratch_folder folder;
  const layout of = small_layout();
  flat values = numbered(of);
  values.data()[1] = -0.f;
  values.data()[2] = std::numeric_limits<float>::denorm_min();
  REQUIRE(write_safetensors(folder / "w.safetensors", of, values.values(), 7));
  const auto read = read_safetensors(folder / "w.safetensors", of);
  REQUIRE(read);
  CHECK(std::memcmp(read->data(), values.data(), of.size() * sizeof(float)) == 0);
  CHECK(weights_sha256(of, read->values()) == weights_sha256(of, values.values()));
  CHECK_FALSE(std::filesystem::exists(folder / "w.safetensors.tmp"));
}

TEST_CASE("a written file has PyTorch's names, shapes and counters, aligned and in order") {
  const scratch_folder folder;
  const layout of = small_layout();
  REQUIRE(write_safetensors(folder / "w.safetensors", of, numbered(of).values(), 7));
  const bytes content = read_file(folder / "w.safetensors");
  uint64_t length = 0;
  std::memcpy(&length, content.data(), 8);
  CHECK(length % 8 == 0);
  const std::string header(content.begin() + 8, content.begin() + 8 + static_cast<ptrdiff_t>(length));
  CHECK(header.starts_with(R"({"__metadata__":{"format":"pt"},"bn.num_batches_tracked":{"dtype":"I64","shape":[],)"
                           R"("data_offsets":[0,8]},"conv.weight":{"dtype":"F32","shape":[2,1,3,3],)"
                           R"("data_offsets":[8,80]},)"));
  uint64_t counter = 0;
  std::memcpy(&counter, content.data() + 8 + length, 8);
  CHECK(counter == 7);
  CHECK(content.size() == 8 + length + 8 + 24 * sizeof(float));
}

TEST_CASE("a file in another order, with metadata and without counters is read") {
  const scratch_folder folder;
  const layout of{{{.name = "a", .dims = {2}}, {.name = "b", .dims = {}}}};
  bytes content = file_of(R"({"b":{"shape":[],"dtype":"F32","data_offsets":[0,4]},"__metadata__":{"x":"y"},)"
                          R"("a":{"data_offsets":[4,12],"dtype":"F32","shape":[2]}}   )",
                          12);
  const std::array<float, 3> values{1, 2, 3};
  std::memcpy(content.data() + content.size() - 12, values.data(), 12);
  write_file(folder / "w", content);
  const auto read = read_safetensors(folder / "w", of);
  REQUIRE(read);
  CHECK(read->data()[of.find("a")->offset] == 2);
  CHECK(read->data()[of.find("a")->offset + 1] == 3);
  CHECK(read->data()[of.find("b")->offset] == 1);
}

TEST_CASE("a missing or unknown tensor, another shape and another type are named") {
  CHECK_THAT(refusal_of(R"({"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"),
             ContainsSubstring("has no tensor 'a' (2), but 'b', which the model has not"));
  CHECK_THAT(refusal_of("{}", 0), ContainsSubstring("has no tensor 'a' (2)"));
  CHECK_THAT(refusal_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                        R"("z":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
                        12),
             ContainsSubstring("has tensor 'z', which the model has not"));
  CHECK_THAT(refusal_of(R"({"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}})"),
             ContainsSubstring("tensor 'a' of shape (2, 1), and the model's is (2)"));
  CHECK_THAT(refusal_of(R"({"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}})", 4),
             ContainsSubstring("tensor 'a' of type BF16, and it must be F32"));
}

TEST_CASE("hostile offsets are refused") {
  const auto at = [](const std::string& offsets, const std::string& shape = "[2]") {
    return refusal_of(R"({"a":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}");
  };
  CHECK_THAT(at("[0,12]"), ContainsSubstring("at bytes 0 to 12, and there are 8"));
  CHECK_THAT(at("[8,0]"), ContainsSubstring("at bytes 8 to 0"));
  CHECK_THAT(at("[18446744073709551608,18446744073709551615]"), ContainsSubstring("and there are 8"));
  CHECK_THAT(at("[0,4]"), ContainsSubstring("shape (2) in 4 bytes, which do not fit"));
  CHECK_THAT(at("[0,8]", "[4611686018427387904,4]"), ContainsSubstring("do not fit")); // 2^62 * 4 * 4 wraps to 0
  CHECK_THAT(at("[0,8]", "[0,2]"), ContainsSubstring("do not fit"));
  const auto two = [](const std::string& a, const std::string& b, size_t data) {
    return refusal_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":)" + a +
                        R"(},"b":{"dtype":"F32","shape":[2],)" + R"("data_offsets":)" + b + "}}",
                      data);
  };
  CHECK_THAT(two("[0,8]", "[4,12]", 12), ContainsSubstring("'b' at byte 4, before the tensor before ends"));
  CHECK_THAT(two("[0,8]", "[12,20]", 20), ContainsSubstring("'b' at byte 12, after the tensor before ends"));
  CHECK_THAT(two("[4,12]", "[12,20]", 20), ContainsSubstring("'a' at byte 4, after"));
  CHECK_THAT(two("[0,8]", "[8,16]", 20), ContainsSubstring("has 4 bytes behind its last tensor"));
  CHECK_THAT(two("[0,8]", "[0,8]", 8), ContainsSubstring("before the tensor before ends"));
}

TEST_CASE("a header that is not of the format is refused") {
  const std::string good = R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  CHECK_THAT(refusal_of(""), ContainsSubstring("no JSON"));
  CHECK_THAT(refusal_of("[]"), ContainsSubstring("no JSON, at byte 1"));
  CHECK_THAT(refusal_of(R"({"a":)" + good), ContainsSubstring("no JSON"));
  CHECK_THAT(refusal_of(R"({"a":)" + good + "} x"), ContainsSubstring("no JSON"));
  CHECK_THAT(refusal_of(R"({"a":)" + good + R"(,"a":)" + good + "}"), ContainsSubstring("'a' twice"));
  CHECK_THAT(refusal_of(R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})"),
             ContainsSubstring("'dtype' twice"));
  CHECK_THAT(refusal_of(R"({"a":{"shape":[2],"data_offsets":[0,8]}})"), ContainsSubstring("does not say"));
  CHECK_THAT(refusal_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}})"), ContainsSubstring("does not say"));
  CHECK_THAT(refusal_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})"),
             ContainsSubstring("unknown field 'x'"));
  CHECK_THAT(refusal_of(R"({"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}})"),
             ContainsSubstring("unknown type 'F33'"));
  for (const char* wrong :
       {R"({"a":1})", R"({"a":null})", R"({"a":[[[[[[[[]]]]]]]]})", R"({"a":{"dtype":{}}})", R"({"a":{"dtype":4}})",
        R"({"a":{"shape":[-1]}})", R"({"a":{"shape":[1.5]}})", R"({"a":{"shape":[[2]]}})", R"({"a":{"shape":{}}})",
        R"({"a":{"shape":[1,1,1,1,1,1,1,1,1]}})", R"({"a":{"data_offsets":[0,8,9]}})", R"({"a":{"shape":["2"]}})",
        R"({"a":true})", R"({"__metadata__":{"a":1}})", R"({"__metadata__":{"a":{}}})", R"({"__metadata__":[]})"})
    CHECK_THAT(refusal_of(wrong), ContainsSubstring("not of the format"));
}

TEST_CASE("a header whose length is impossible is refused before it is read") {
  CHECK_THAT(refusal_of_bytes({}), ContainsSubstring("it has 0 bytes"));
  CHECK_THAT(refusal_of_bytes(bytes(7)), ContainsSubstring("it has 7 bytes"));
  CHECK_THAT(refusal_of_bytes(bytes(100, 0xff)), ContainsSubstring("would have 18446744073709551615 bytes"));
  bytes long_header(16);
  long_header[0] = 9;
  CHECK_THAT(refusal_of_bytes(long_header), ContainsSubstring("would have 9 bytes, and the file has 16"));
}

TEST_CASE("a file cut anywhere is refused") {
  const scratch_folder folder;
  const layout of = small_layout();
  REQUIRE(write_safetensors(folder / "w", of, numbered(of).values(), 7));
  const bytes whole = read_file(folder / "w");
  for (size_t size = 0; size < whole.size(); ++size) {
    bytes part = whole;
    part.resize(size);
    CHECK_FALSE(refusal_of_bytes(part).empty());
  }
}

TEST_CASE("weights that are not finite are refused, naming the tensor and the place") {
  const scratch_folder folder;
  const layout of = small_layout();
  flat values = numbered(of);
  values.data()[of.find("bn.weight")->offset + 1] = std::numeric_limits<float>::infinity();
  REQUIRE(write_safetensors(folder / "w", of, values.values(), 7));
  const auto read = read_safetensors(folder / "w", of);
  REQUIRE_FALSE(read);
  CHECK_THAT(read.error().sentence, ContainsSubstring("'bn.weight' with the value inf at index 1"));
}

TEST_CASE("a file that cannot be opened is refused") {
  const scratch_folder folder;
  for (const auto& path : {folder / "none", folder.path()}) {
    const auto read = read_safetensors(path, small_layout());
    REQUIRE_FALSE(read);
    CHECK_THAT(read.error().sentence, ContainsSubstring("cannot read " + path.string()));
  }
}

TEST_CASE("a failed write leaves the old weights and nothing else, whichever operation fails") {
  const layout of = small_layout();
  const flat old = numbered(of);
  flat fresh = numbered(of);
  for (const slice& s : of.slices())
    fresh.data()[s.offset] += 100;
  for (int fails = 1;; ++fails) {
    const scratch_folder folder;
    REQUIRE(write_safetensors(folder / "w", of, old.values(), 1));
    failing_file_system disk{fails, failing_file_system::then::goes_on};
    const auto written = write_safetensors(folder / "w", of, fresh.values(), 2, disk);
    const auto read = read_safetensors(folder / "w", of);
    REQUIRE(read);
    const bool is_fresh = std::equal(read->values().begin(), read->values().end(), fresh.data());
    CHECK((is_fresh || std::equal(read->values().begin(), read->values().end(), old.data())));
    CHECK_FALSE(std::filesystem::exists(folder / "w.tmp"));
    if (written) {
      CHECK(is_fresh);
      CHECK(fails > 8);
      break;
    }
    CHECK_THAT(written.error().sentence, ContainsSubstring("No space left on device"));
    CHECK(is_fresh == (disk.last_operation() == "sync_folder"));
  }
}

TEST_CASE("a damaged header is refused with a sentence or describes the file in full, never anything else") {
  const std::string good =
    R"({"__metadata__":{"format":"pt"},"a.w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
    R"("b":{"dtype":"I64","shape":[],"data_offsets":[24,32]}})";
  REQUIRE(parse_safetensors_header(good, 32));
  draws random{5, purpose::sample_order, 0, 0};
  const std::string alphabet = R"({}[]",:0123456789.-eFI\x)";
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = good;
    for (uint32_t change = random.below(3) + 1; change > 0; --change) {
      const size_t at = random.below(static_cast<uint32_t>(text.size()));
      const char with = random.below(4) == 0 ? static_cast<char>(random.below(256))
                                             : alphabet[random.below(static_cast<uint32_t>(alphabet.size()))];
      switch (random.below(3)) {
      case 0:
        text[at] = with;
        break;
      case 1:
        text.erase(at, random.below(8) + 1);
        break;
      default:
        text.insert(at, random.below(4) + 1, with);
      }
      if (text.empty())
        break;
    }
    const auto entries = parse_safetensors_header(text, 32);
    if (!entries) {
      REQUIRE_FALSE(entries.error().sentence.empty());
      continue;
    }
    ++accepted;
    uint64_t covered = 0;
    for (const auto& entry : *entries) {
      REQUIRE(entry.begin == covered);
      REQUIRE(entry.end >= entry.begin);
      covered = entry.end;
    }
    REQUIRE(covered == 32);
  }
  CHECK(accepted > 20); // changes of names and metadata
  CHECK(accepted < 10'000);
}
