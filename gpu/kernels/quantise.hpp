#pragma once

#include <cstddef>
#include <cstdint>

namespace troupe::gpu::kernels {

/// The bits of an IEEE half.
using f16 = uint16_t;

/// Rounds to nearest, ties to even; values beyond the largest half become that, so finite stays finite. NaN stays NaN.
void to_f16(size_t n, const float* x, f16* y);
/// Exact.
void from_f16(size_t n, const f16* x, float* y);

/// So many values share a scale.
inline constexpr size_t int8_group = 256;

/// y[i] = round(x[i] / s) with s = max |x| / 127 over the group of i; `scales`: (ceil(n / int8_group)). `x` is finite.
void to_int8(size_t n, const float* x, float* scales, int8_t* y);
void from_int8(size_t n, const float* scales, const int8_t* x, float* y);

} // namespace troupe::gpu::kernels
