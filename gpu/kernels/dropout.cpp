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

/// The words of `blocks` Philox blocks: philox4x32 spelled so that compilers make vector code of it. Counters are 64
/// bits wide and their upper halves arbitrary, since a product uses and a result keeps only the lower halves.
void draw(const dropout_key& key, size_t first, words& out) {
  constexpr uint64_t half = 0xffffffff;
  const uint64_t low = key.seed & half;
  const uint64_t high = (key.seed >> 32) ^ purpose;
  const uint64_t base = first / 4;
#pragma omp simd
  for (size_t b = 0; b < blocks; ++b) {
    uint64_t c0 = base + b;
    uint64_t c1 = key.layer;
    uint64_t c2 = key.micro_batch;
    uint64_t c3 = key.step;
#pragma GCC unroll 10
    for (uint64_t round = 0; round < 10; ++round) {
      const uint64_t product_0 = (c0 & half) * 0xd2511f53;
      const uint64_t product_1 = (c2 & half) * 0xcd9e8d57;
      c0 = (product_1 >> 32) ^ c1 ^ (low + round * 0x9e3779b9);
      c1 = product_1;
      c2 = (product_0 >> 32) ^ c3 ^ (high + round * 0xbb67ae85);
      c3 = product_0;
    }
    out[b] = static_cast<uint32_t>(c0);
    out[blocks + b] = static_cast<uint32_t>(c1);
    out[2 * blocks + b] = static_cast<uint32_t>(c2);
    out[3 * blocks + b] = static_cast<uint32_t>(c3);
  }
}

} // namespace

void dropout(size_t n, const dropout_key& key, float rate, const float* x, float* y) {
  for_chunks(n, [=](size_t begin, size_t end) {
    const auto limit = static_cast<uint32_t>(static_cast<double>(rate) * 4294967296.0);
    const float factor = 1 / (1 - rate);
    words random;
    for (size_t first = begin; first < end; first += group) {
      draw(key, first, random);
      const float* in = x + first;
      float* out = y + first;
      const size_t count = std::min(group, end - first);
#pragma omp simd
      for (size_t i = 0; i < count; ++i) {
        const float kept = in[i] * factor;
        out[i] = random[i] < limit ? 0.0f : kept;
      }
    }
  });
}

} // namespace troupe::gpu::kernels
