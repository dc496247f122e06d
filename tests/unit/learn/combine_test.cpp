#include "learn/combine.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cmath>
#include <limits>
#include <vector>

using namespace troupe::learn;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr auto not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr auto infinity = std::numeric_limits<float>::infinity();

using vectors = std::vector<std::vector<float>>;

std::vector<const float*> pointers(const vectors& from) {
  std::vector<const float*> result;
  for (const auto& v : from)
    result.push_back(v.data());
  return result;
}

std::vector<float> combined(const char* how, const vectors& from, std::vector<float> factors = {}) {
  factors.resize(from.size(), 1);
  std::vector<float> out(from.front().size());
  combine(parse_combine(how).value(), out.size(), pointers(from), factors, out.data());
  return out;
}

} // namespace

TEST_CASE("the median of each coordinate is taken") {
  CHECK(combined("median", {{1, 5}, {2, 3}, {9, 4}}) == std::vector<float>{2, 4});
  CHECK(combined("median", {{1, 5}, {2, 3}, {9, 4}, {4, 4}}) == std::vector<float>{3, 4});
  CHECK(combined("median", {{1}, {2}, {9}}, {10, 1, 0.5f}) == std::vector<float>{4.5f});
}

TEST_CASE("the trimmed mean leaves out the same part at both ends") {
  CHECK(combined("trimmed:0.2", {{1}, {2}, {3}, {4}, {1000}}) == std::vector<float>{3});
  CHECK(combined("trimmed:0.49", {{1}, {2}, {30}, {4}, {1000}}) == std::vector<float>{4});
  CHECK(combined("trimmed:0.3", {{1}, {3}}) == std::vector<float>{2}); // too few to leave any out
}

TEST_CASE("what is not finite counts as largest, and does no harm while it is few (I11)") {
  CHECK(combined("median", {{1}, {not_a_number}, {3}}) == std::vector<float>{3});
  CHECK(combined("median", {{1}, {-infinity}, {3}, {2}, {4}}) == std::vector<float>{3});
  CHECK(combined("trimmed:0.25", {{1}, {not_a_number}, {3}, {2}}) == std::vector<float>{2.5f});
  CHECK_FALSE(std::isfinite(combined("median", {{not_a_number}, {not_a_number}, {3}}).front()));
}

TEST_CASE("large buffers are combined coordinate by coordinate") {
  constexpr size_t n = 40001;
  vectors from(3, std::vector<float>(n));
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < 3; ++j)
      from[j][i] = static_cast<float>((i * 7 + j * 13) % 31);
  const auto out = combined("median", from);
  for (size_t i = 0; i < n; ++i) {
    std::vector<float> v{from[0][i], from[1][i], from[2][i]};
    std::sort(v.begin(), v.end());
    REQUIRE(out[i] == v[1]);
  }
}

TEST_CASE("Krum takes one that lies among the others, however far off the bad ones are and however alike") {
  const vectors from{{100, 0}, {0, 0}, {1, 0}, {0, 1}, {100, 0}, {1, 1}, {0.4f, 0.4f}};
  const std::vector<float> factors(from.size(), 1);
  const auto apart = squared_distances(2, pointers(from), factors);
  CHECK(apart.size() == 21);
  CHECK(apart[0] == 10000);
  CHECK(apart[3] == 0); // the first and the fifth
  CHECK(krum(from.size(), 2, apart) == 6);
}

TEST_CASE("Krum never takes what is not finite") {
  const vectors from{{not_a_number}, {1}, {2}, {3}, {-infinity}};
  const std::vector<float> factors(from.size(), 1);
  const auto taken = krum(5, 1, squared_distances(1, pointers(from), factors));
  CHECK(taken >= 1);
  CHECK(taken <= 3);
}

TEST_CASE("how to combine is spelled as it is shown, and what is not understood is refused with a sentence") {
  for (const auto* text : {"mean", "median", "trimmed:0.2", "krum:2"})
    CHECK(to_string(parse_combine(text).value()) == text);
  CHECK(parse_combine("krum:2").value().fewest() == 7);
  CHECK(to_string(parse_combine("krum:2/8").value()) == "krum:2/8");
  CHECK(parse_combine("median/4").value().contributions(9) == 3);
  CHECK(parse_combine("median/4").value().bucket_size() == 4);
  CHECK(parse_combine("mean").value().bucket_size() == 0);
  for (const auto* text : {"median/3", "median/0", "median/", "median/2x", "trimmed:0.2/-2"})
    CHECK_THAT(parse_combine(text).error().sentence, ContainsSubstring("median/4"));
  CHECK_THAT(parse_combine("mean/2").error().sentence, ContainsSubstring("leave out what follows mean"));
  CHECK(parse_combine("trimmed:0.2").value().fewest() == 5);
  for (const auto* text : {"krum", "krum:0", "krum:1.5", "krum:x"})
    CHECK_THAT(parse_combine(text).error().sentence, ContainsSubstring("krum:1"));
  for (const auto* text : {"trimmed", "trimmed:0.5", "trimmed:0"})
    CHECK_THAT(parse_combine(text).error().sentence, ContainsSubstring("trimmed:0.2"));
  CHECK_THAT(parse_combine("mode").error().sentence, ContainsSubstring("choose mean, median"));
  CHECK_THAT(parse_combine("median:1").error().sentence, ContainsSubstring("choose mean, median"));
}
