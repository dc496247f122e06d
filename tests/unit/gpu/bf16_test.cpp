#include "gpu/kernels/bf16.hpp"

#include <bit>
#include <catch2/catch_test_macros.hpp>
#include <limits>

#include "gpu/kernels/plain.hpp"
#include "tests/unit/gpu/samples.hpp"

using namespace troupe::gpu;
namespace kernels = troupe::gpu::kernels;

TEST_CASE("f32 becomes the nearest bf16, ties to even", "[gpu]") {
  for (const size_t n : odd_sizes) {
    auto x = random_floats(n, 1, -1e3f, 1e3f);
    for (size_t i = 0; i < n; i += 3) // exact ties
      x[i] = std::bit_cast<float>((std::bit_cast<uint32_t>(x[i]) & 0xffff0000u) | 0x8000u);
    std::vector<kernels::bf16> y(n);
    with_threads(3, [&] { return kernels::to_bf16(n, x.data(), y.data()), 0; });
    for (size_t i = 0; i < n; ++i)
      REQUIRE(y[i] == kernels::plain::to_bf16(x[i]));
  }
}

TEST_CASE("bf16 keeps infinity and NaN and overflows to infinity", "[gpu]") {
  constexpr float inf = std::numeric_limits<float>::infinity();
  const float hidden_nan = std::bit_cast<float>(0x7f800001u); // its payload is in the half that is cut off
  const floats x{inf, -inf, NAN, hidden_nan, std::numeric_limits<float>::max(), 1.0f, -0.0f};
  std::vector<kernels::bf16> y(x.size());
  floats back(x.size());
  kernels::to_bf16(x.size(), x.data(), y.data());
  kernels::from_bf16(x.size(), y.data(), back.data());
  CHECK(back[0] == inf);
  CHECK(back[1] == -inf);
  CHECK(std::isnan(back[2]));
  CHECK(std::isnan(back[3]));
  CHECK(back[4] == inf);
  CHECK(back[5] == 1);
  CHECK(std::signbit(back[6]));
}

TEST_CASE("every bf16 survives the way to f32 and back", "[gpu]") {
  std::vector<kernels::bf16> all;
  for (uint32_t bits = 0; bits < 65536; ++bits)
    if ((bits & 0x7fff) <= 0x7f80) // not NaN
      all.push_back(static_cast<kernels::bf16>(bits));
  floats wide(all.size());
  std::vector<kernels::bf16> back(all.size());
  kernels::from_bf16(all.size(), all.data(), wide.data());
  kernels::to_bf16(all.size(), wide.data(), back.data());
  CHECK(back == all);
}
