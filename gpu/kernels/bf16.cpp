#include "gpu/kernels/bf16.hpp"

#include <bit>

#include "gpu/kernels/chunks.hpp"

namespace troupe::gpu::kernels {

void to_bf16(size_t n, const float* x, bf16* y) {
  for_chunks(n, [=](size_t begin, size_t end) {
#pragma omp simd
    for (size_t i = begin; i < end; ++i) {
      const auto bits = std::bit_cast<uint32_t>(x[i]);
      const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
      const uint32_t quiet = (bits >> 16) | 0x40;
      y[i] = static_cast<bf16>((bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded);
    }
  });
}

void from_bf16(size_t n, const bf16* x, float* y) {
  for_chunks(n, [=](size_t begin, size_t end) {
#pragma omp simd
    for (size_t i = begin; i < end; ++i)
      y[i] = std::bit_cast<float>(static_cast<uint32_t>(x[i]) << 16);
  });
}

} // namespace troupe::gpu::kernels
