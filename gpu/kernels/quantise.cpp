#include "gpu/kernels/quantise.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "gpu/kernels/chunks.hpp"

namespace troupe::gpu::kernels {

namespace {

static_assert(chunk_floats % int8_group == 0, "a group lies in one chunk");

/// F. Giesen, "Float->half variants" (2012), with saturation.
f16 half_of(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<f16>(bits >> 16 & 0x8000U);
  const auto size = bits & 0x7fffffffU;
  if (size > 0x7f800000U)
    return static_cast<f16>(sign | 0x7e00U);
  if (size >= 0x477fefffU) // 65504 and what would be rounded up from there
    return static_cast<f16>(sign | 0x7bffU);
  if (size < 0x38800000U) // too small for a normal half: the addition rounds
    return static_cast<f16>(
      sign | (std::bit_cast<uint32_t>(std::bit_cast<float>(size) + 0.5f) - std::bit_cast<uint32_t>(0.5f)));
  return static_cast<f16>(sign | (size + 0xc8000fffU + (size >> 13 & 1U)) >> 13);
}

float float_of(f16 half) {
  const auto sign = (half & 0x8000U) << 16;
  const auto size = half & 0x7fffU;
  if (size >= 0x7c00U) // infinite or NaN
    return std::bit_cast<float>(sign | 0x7f800000U | size << 13);
  if (size < 0x0400U)
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(static_cast<float>(size) * 0x1p-24f));
  return std::bit_cast<float>(sign | ((size << 13) + 0x38000000U));
}

} // namespace

void to_f16(size_t n, const float* x, f16* y) {
  for_chunks(n, [=](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i)
      y[i] = half_of(x[i]);
  });
}

void from_f16(size_t n, const f16* x, float* y) {
  for_chunks(n, [=](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i)
      y[i] = float_of(x[i]);
  });
}

void to_int8(size_t n, const float* x, float* scales, int8_t* y) {
  for_chunks(n, [=](size_t begin, size_t end) {
    for (size_t first = begin; first < end; first += int8_group) {
      const auto last = std::min(first + int8_group, end);
      float largest = 0;
#pragma omp simd reduction(max : largest)
      for (size_t i = first; i < last; ++i)
        largest = std::max(largest, std::abs(x[i]));
      const float scale = largest / 127;
      const float inverse = scale > 0 ? 1 / scale : 0;
      scales[first / int8_group] = scale;
      if (!std::isfinite(inverse)) { // all are smaller than any normal number's 127th part
        std::fill(y + first, y + last, int8_t{0});
        continue;
      }
#pragma omp simd
      for (size_t i = first; i < last; ++i)
        y[i] = static_cast<int8_t>(std::clamp(std::nearbyint(x[i] * inverse), -127.f, 127.f));
    }
  });
}

void from_int8(size_t n, const float* scales, const int8_t* x, float* y) {
  for_chunks(n, [=](size_t begin, size_t end) {
#pragma omp simd
    for (size_t i = begin; i < end; ++i)
      y[i] = static_cast<float>(x[i]) * scales[i / int8_group];
  });
}

} // namespace troupe::gpu::kernels
