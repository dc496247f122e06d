#include "gpu/kernels/dropout.hpp"

#include <array>

#include "gpu/kernels/chunks.hpp"
#include "gpu/kernels/philox.hpp"

namespace troupe::gpu::kernels {

namespace {

/// Keeps these numbers apart from others drawn with the same seed.
constexpr uint32_t purpose = 0x64726f70; // "drop"

/// Sixteen Philox blocks serve 64 consecutive activations: word w of block b is for activation 16 w + b, so that
/// vectors of equal words need no shuffling.
constexpr size_t blocks = 16;
constexpr size_t group = 4 * blocks;
static_assert(chunk_floats % group == 0);

using words = std::array<uint32_t, group>;

/// The words of `blocks` Philox blocks, philox4x32 round by round over all blocks at once: vector code, unlike a loop
/// of calls.
void draw(const dropout_key& key, size_t first, words& out) {
  constexpr uint64_t multiplier_0 = 0xd2511f53;
  constexpr uint64_t multiplier_1 = 0xcd9e8d57;
  auto low = static_cast<uint32_t>(key.seed);
  uint32_t high = static_cast<uint32_t>(key.seed >> 32) ^ purpose;
  uint32_t* c0 = out.data();
  uint32_t* c1 = c0 + blocks;
  uint32_t* c2 = c1 + blocks;
  uint32_t* c3 = c2 + blocks;
  for (uint32_t b = 0; b < blocks; ++b) {
    c0[b] = static_cast<uint32_t>(first / 4) + b;
    c1[b] = key.layer;
    c2[b] = key.micro_batch;
    c3[b] = key.step;
  }
  for (int round = 0; round < 10; ++round) {
#pragma omp simd
    for (uint32_t b = 0; b < blocks; ++b) {
      const uint64_t product_0 = multiplier_0 * c0[b];
      const uint64_t product_1 = multiplier_1 * c2[b];
      c0[b] = static_cast<uint32_t>(product_1 >> 32) ^ c1[b] ^ low;
      c2[b] = static_cast<uint32_t>(product_0 >> 32) ^ c3[b] ^ high;
      c1[b] = static_cast<uint32_t>(product_1);
      c3[b] = static_cast<uint32_t>(product_0);
    }
    low += 0x9e3779b9;
    high += 0xbb67ae85;
  }
}

} // namespace

void dropout(size_t n, const dropout_key& key, float rate, const float* x, float* y) {
  const float factor = 1 / (1 - rate);
  const auto limit = static_cast<uint32_t>(static_cast<double>(rate) * 4294967296.0);
  for_chunks(n, [=](size_t begin, size_t end) {
    words random;
    for (size_t first = begin; first < end; first += group) {
      draw(key, first, random);
      const size_t count = std::min(group, end - first);
#pragma omp simd
      for (size_t i = 0; i < count; ++i)
        y[first + i] = random[i] < limit ? 0.0f : x[first + i] * factor;
    }
  });
}

} // namespace troupe::gpu::kernels
