#include "gpu/kernels/quantise.hpp"

#include <bit>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <limits>
#include <vector>

using namespace troupe::gpu::kernels;

namespace {

f16 half(float x) {
  f16 y = 0;
  to_f16(1, &x, &y);
  return y;
}

float back(f16 x) {
  float y = 0;
  from_f16(1, &x, &y);
  return y;
}

} // namespace

TEST_CASE("every finite half survives the way to float and back") {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto h = static_cast<f16>(bits);
    if ((bits & 0x7c00U) != 0x7c00U)
      REQUIRE(half(back(h)) == h);
  }
}

TEST_CASE("halves are what IEEE 754 says") {
  CHECK(back(0x3c00) == 1.0f);
  CHECK(back(0x0001) == 0x1p-24f);
  CHECK(back(0x03ff) == 1023 * 0x1p-24f);
  CHECK(back(0x0400) == 0x1p-14f);
  CHECK(back(0x7bff) == 65504.0f);
  CHECK(std::isinf(back(0xfc00)));
  CHECK(std::isnan(back(0x7e00)));
}

TEST_CASE("floats round to the nearest half, ties to even, and saturate") {
  CHECK(half(1.0f + 0x1p-11f) == 0x3c00);     // a tie
  CHECK(half(1.0f + 3 * 0x1p-11f) == 0x3c02); // a tie
  CHECK(half(1.0f + 0x1p-11f + 0x1p-20f) == 0x3c01);
  CHECK(half(0x1p-25f) == 0x0000); // a tie
  CHECK(half(0x1.8p-25f) == 0x0001);
  CHECK(half(-2.0f) == 0xc000);
  CHECK(half(65519.0f) == 0x7bff);
  CHECK(half(1e30f) == 0x7bff);
  CHECK(half(-std::numeric_limits<float>::infinity()) == 0xfbff);
  CHECK(std::isnan(back(half(std::nanf("")))));
}

TEST_CASE("int8 keeps every value within half a step of its group's scale, on odd sizes") {
  for (size_t n : {1u, 255u, 256u, 257u, 20001u}) {
    std::vector<float> x(n);
    uint32_t random = 7;
    for (size_t i = 0; i < n; ++i)
      x[i] = std::ldexp(static_cast<float>((random = random * 1664525 + 1013904223) >> 8) * 0x1p-23f - 1,
                        static_cast<int>(i / 256) % 20 - 10);
    std::vector<float> scales((n + int8_group - 1) / int8_group);
    std::vector<int8_t> small(n);
    std::vector<float> y(n);
    to_int8(n, x.data(), scales.data(), small.data());
    from_int8(n, scales.data(), small.data(), y.data());
    for (size_t i = 0; i < n; ++i)
      REQUIRE(std::abs(x[i] - y[i]) <= scales[i / int8_group] * 0.5001f);
  }
}

TEST_CASE("a group of zeros, and one of the smallest numbers, become zeros") {
  const std::vector<float> x{0, -0.0f, std::numeric_limits<float>::denorm_min()};
  float scale = 1;
  std::vector<int8_t> y(3, 5);
  to_int8(3, x.data(), &scale, y.data());
  CHECK(y == std::vector<int8_t>(3, 0));
}
