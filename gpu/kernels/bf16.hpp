#pragma once

#include <cstddef>
#include <cstdint>

namespace troupe::gpu::kernels {

/// The bits of a bfloat16: the upper half of an IEEE float.
using bf16 = uint16_t;

/// Rounds to nearest, ties to even; NaN stays NaN, values beyond the largest bf16 become infinite.
void to_bf16(size_t n, const float* x, bf16* y);
/// Exact.
void from_bf16(size_t n, const bf16* x, float* y);

} // namespace troupe::gpu::kernels
