#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

/// Sixteen floats side by side: one AVX-512 register, or what the compiler makes of it on other processors. Loads and
/// stores take f32 or bf16 memory, so that a kernel is written once for both.
namespace troupe::gpu::dnn {

using bf16 = uint16_t; ///< the upper half of an IEEE float

inline constexpr int64_t lane_count = 16;

using lanes [[gnu::vector_size(64)]] = float;
using lane_words [[gnu::vector_size(64)]] = uint32_t;
using lane_halves [[gnu::vector_size(32)]] = uint16_t;

[[gnu::always_inline]] inline lanes load(const float* from) {
  lanes x;
  std::memcpy(&x, from, sizeof x);
  return x;
}

[[gnu::always_inline]] inline lanes load(const bf16* from) {
  lane_halves halves;
  std::memcpy(&halves, from, sizeof halves);
  const lane_words bits = __builtin_convertvector(halves, lane_words) << 16;
  return std::bit_cast<lanes>(bits);
}

[[gnu::always_inline]] inline void store(float* to, lanes x) {
  std::memcpy(to, &x, sizeof x);
}

/// Rounds to nearest, ties to even.
[[gnu::always_inline]] inline void store(bf16* to, lanes x) {
#if defined(__AVX512BF16__)
  const __m256bh halves = _mm512_cvtneps_pbh(std::bit_cast<__m512>(x));
  std::memcpy(to, &halves, sizeof halves);
#else
  const auto bits = std::bit_cast<lane_words>(x);
  const auto rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const auto quiet = (bits >> 16) | 0x40u; // NaN stays NaN
  const lane_words chosen = x == x ? rounded : quiet;
  const auto halves = __builtin_convertvector(chosen, lane_halves);
  std::memcpy(to, &halves, sizeof halves);
#endif
}

/// The first `n` < 16 lanes; the others are zero.
template <class T>
lanes load_some(const T* from, int64_t n) {
  T whole[lane_count] = {};
  std::memcpy(whole, from, static_cast<size_t>(n) * sizeof(T));
  return load(whole);
}

template <class T>
void store_some(T* to, lanes x, int64_t n) {
  T whole[lane_count];
  store(whole, x);
  std::memcpy(to, whole, static_cast<size_t>(n) * sizeof(T));
}

[[gnu::always_inline]] inline lanes spread(float x) {
  return lanes{} + x;
}

[[gnu::always_inline]] inline lanes positive_part(lanes x) {
  return x > 0 ? x : lanes{};
}

/// Bit i tells whether lane i is positive.
[[gnu::always_inline]] inline uint16_t positive_lanes(lanes x) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask(std::bit_cast<__m512>(x), _mm512_setzero_ps(), _CMP_GT_OQ);
#else
  unsigned mask = 0;
  for (int i = 0; i < lane_count; ++i)
    mask |= static_cast<unsigned>(x[i] > 0) << i;
  return static_cast<uint16_t>(mask);
#endif
}

/// The lanes whose bit is set; the others become zero.
[[gnu::always_inline]] inline lanes keep(lanes x, uint16_t mask) {
#if defined(__AVX512F__)
  const __m512 kept = _mm512_maskz_mov_ps(mask, std::bit_cast<__m512>(x));
  return std::bit_cast<lanes>(kept);
#else
  for (int i = 0; i < lane_count; ++i)
    x[i] = mask >> i & 1 ? x[i] : 0.0f;
  return x;
#endif
}

} // namespace troupe::gpu::dnn
