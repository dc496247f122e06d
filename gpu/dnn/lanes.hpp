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
using lane_bytes [[gnu::vector_size(16)]] = uint8_t;
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

/// The first `n` <= 16 lanes; the others are zero.
[[gnu::always_inline]] inline lanes load_some(const float* from, int64_t n) {
#if defined(__AVX512F__)
  return std::bit_cast<lanes>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), from));
#else
  float whole[lane_count] = {};
  std::memcpy(whole, from, static_cast<size_t>(n) * sizeof(float));
  return load(whole);
#endif
}

[[gnu::always_inline]] inline lanes load_some(const bf16* from, int64_t n) {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
  const __m256i halves = _mm256_maskz_loadu_epi16(static_cast<__mmask16>((1u << n) - 1), from);
  return load(reinterpret_cast<const bf16*>(&halves));
#else
  bf16 whole[lane_count] = {};
  std::memcpy(whole, from, static_cast<size_t>(n) * sizeof(bf16));
  return load(whole);
#endif
}

[[gnu::always_inline]] inline void store_some(float* to, lanes x, int64_t n) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << n) - 1), std::bit_cast<__m512>(x));
#else
  std::memcpy(to, &x, static_cast<size_t>(n) * sizeof(float));
#endif
}

[[gnu::always_inline]] inline void store_some(bf16* to, lanes x, int64_t n) {
  bf16 whole[lane_count];
  store(whole, x);
#if defined(__AVX512BW__) && defined(__AVX512VL__)
  _mm256_mask_storeu_epi16(to, static_cast<__mmask16>((1u << n) - 1), std::bit_cast<__m256i>(whole));
#else
  std::memcpy(to, whole, static_cast<size_t>(n) * sizeof(bf16));
#endif
}

/// Sixteen small numbers as bytes.
[[gnu::always_inline]] inline lane_words load_words(const uint8_t* from) {
  lane_bytes bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  return __builtin_convertvector(bytes, lane_words);
}

[[gnu::always_inline]] inline void store(uint8_t* to, lane_words x) {
  const auto bytes = __builtin_convertvector(x, lane_bytes);
  std::memcpy(to, &bytes, sizeof bytes);
}

[[gnu::always_inline]] inline lanes spread(float x) {
  return x - lanes{}; // not `lanes{} + x`, which would have to turn -0 into 0
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
