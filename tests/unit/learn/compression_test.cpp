#include "learn/compression.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cmath>
#include <limits>
#include <vector>

using namespace troupe;
using namespace troupe::learn;
using Catch::Matchers::ContainsSubstring;

namespace {

const compression_options ways[] = {{compression_kind::bf16},
                                    {compression_kind::f16},
                                    {compression_kind::int8},
                                    {compression_kind::top_k, 0.1f},
                                    {compression_kind::top_k, 1e-6f}};

payload of(const std::vector<float>& x) {
  auto p = payload::floats(x.size());
  std::copy(x.begin(), x.end(), p.mutable_floats().begin());
  return p;
}

std::vector<float> noise(size_t n) {
  std::vector<float> x(n);
  uint32_t random = 3;
  for (auto& v : x)
    v = static_cast<float>((random = random * 1664525 + 1013904223) >> 8) * 0x1p-23f - 1;
  return x;
}

std::vector<float> arrived(const compression_options& how, const payload& p, size_t n) {
  REQUIRE(is_compressed(how, n, p));
  auto y = payload::floats(n);
  decompress(how, p, y);
  return {y.as_floats().begin(), y.as_floats().end()};
}

} // namespace

TEST_CASE("compressed gradients take as many bytes as is said") {
  CHECK(compressed_bytes({compression_kind::none}, 1000) == 4000);
  CHECK(compressed_bytes({compression_kind::bf16}, 1000) == 2000);
  CHECK(compressed_bytes({compression_kind::f16}, 1000) == 2000);
  CHECK(compressed_bytes({compression_kind::int8}, 1000) == 1016);
  CHECK(compressed_bytes({compression_kind::top_k, 0.01f}, 1000) == 80);
  CHECK(compressed_bytes({compression_kind::top_k, 1e-6f}, 1000) == 8);
}

TEST_CASE("what compression leaves out of a gradient is made up for by the next ones") {
  const auto x = noise(1003);
  for (const auto& how : ways) {
    error_feedback feedback{how};
    std::vector<double> sum(x.size());
    constexpr int rounds = 50;
    for (int i = 0; i < rounds; ++i) {
      const auto y = arrived(how, feedback.compress(4, of(x)), x.size());
      for (size_t j = 0; j < x.size(); ++j)
        sum[j] += y[j];
    }
    // What is missing in the end is what one step may leave out, not what 50 do.
    double missing = 0;
    double all = 0;
    for (size_t j = 0; j < x.size(); ++j) {
      missing += std::pow(sum[j] - rounds * static_cast<double>(x[j]), 2);
      all += std::pow(rounds * static_cast<double>(x[j]), 2);
    }
    INFO(to_string(how));
    const auto most = how.kind != compression_kind::top_k ? 0.001 : how.keep > 0.05f ? 0.25 : 1.0;
    CHECK(std::sqrt(missing / all) < most);
  }
}

TEST_CASE("top-k sends the largest values as they are, and of equal ones the first") {
  const compression_options how{compression_kind::top_k, 0.4f};
  error_feedback feedback{how};
  CHECK(arrived(how, feedback.compress(0, of({1, -3, 2, -2, 0.5f})), 5) == std::vector<float>{0, -3, 2, 0, 0});
  CHECK(arrived(how, feedback.compress(0, of({1, 0, 0, -2, 0.5f})), 5) == std::vector<float>{2, 0, 0, -4, 0});
}

TEST_CASE("blocks do not mix, and what was left out is void once it is forgotten") {
  const compression_options how{compression_kind::top_k, 0.5f};
  error_feedback feedback{how};
  feedback.compress(0, of({5, 1}));
  CHECK(arrived(how, feedback.compress(1, of({0, 2})), 2) == std::vector<float>{0, 2});
  feedback.forget();
  CHECK(arrived(how, feedback.compress(0, of({3, 1})), 2) == std::vector<float>{3, 0});
}

TEST_CASE("a gradient that is not finite is sent as it is, and spoils nothing (I11)") {
  for (const auto& how : ways) {
    error_feedback feedback{how};
    auto bad = noise(300);
    bad[17] = std::numeric_limits<float>::quiet_NaN();
    const auto same = feedback.compress(0, of(bad));
    CHECK(same.type() == dtype::f32);
    for (const auto v : arrived(how, feedback.compress(0, of(noise(300))), 300))
      REQUIRE(std::isfinite(v));
  }
}

TEST_CASE("what cannot have been compressed is not taken for it") {
  const compression_options how{compression_kind::top_k, 0.5f};
  auto p = error_feedback{how}.compress(0, of({1, 2, 3, 4}));
  CHECK(is_compressed(how, 4, p));
  CHECK_FALSE(is_compressed(how, 6, p));
  CHECK_FALSE(is_compressed({compression_kind::none}, 4, p));
  CHECK_FALSE(is_compressed(how, 4, of({1, 2, 3, 4})));
  reinterpret_cast<uint32_t*>(p.mutable_data())[1] = 4; // an index beyond the block
  CHECK_FALSE(is_compressed(how, 4, p));
}

TEST_CASE("how to compress is spelled as it is shown, and what is not understood is refused with a sentence") {
  for (const auto* text : {"none", "bf16", "f16", "int8", "topk:0.05"})
    CHECK(to_string(parse_compression(text).value()) == text);
  CHECK(parse_compression("topk").value().keep == 0.01f);
  CHECK_THAT(parse_compression("zip").error().sentence, ContainsSubstring("choose none, bf16"));
  CHECK_THAT(parse_compression("topk:2").error().sentence, ContainsSubstring("between 0 and 1"));
  CHECK_THAT(parse_compression("int8:2").error().sentence, ContainsSubstring("no compression \"int8:2\""));
}
