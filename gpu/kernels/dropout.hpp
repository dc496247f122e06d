#pragma once

#include <cstddef>
#include <cstdint>

namespace troupe::gpu::kernels {

/// What decides which activations are dropped. Two masks are independent where any number differs (R5, R10).
struct dropout_key {
  uint64_t seed = 0;
  uint32_t step = 0;
  uint32_t micro_batch = 0;
  uint32_t layer = 0;
};

/// y[i] = 0 with probability `rate`, else x[i] / (1 - rate); y may be x. Which ones is a pure function of the key and i
/// (i < 2^34), so the backward pass is the same call on the gradient and no mask is kept. 0 <= rate < 1.
void dropout(size_t n, const dropout_key& key, float rate, const float* x, float* y);

} // namespace troupe::gpu::kernels
