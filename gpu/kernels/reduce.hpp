#pragma once

#include <cstddef>
#include <span>

namespace troupe::gpu::kernels {

/// destination[i] += source[i]
void add(size_t n, const float* source, float* destination);

/// destination[i] = left[i] + right[i]; may alias either.
void sum(size_t n, const float* left, const float* right, float* destination);

/// x[i] *= factor
void scale(size_t n, float factor, float* x);

/// destination[i] = source[i], bit by bit; the two do not overlap.
void copy(size_t n, const float* source, float* destination);

/// destination[i] = (left[i] - right[i]) * factor; may alias either.
void difference(size_t n, const float* left, const float* right, float factor, float* destination);

/// destination[i] = the mean of all `from`[i], added up in double in their order: of equal values, that value. The
/// destination may be one of them.
void mean(size_t n, std::span<const float* const> from, float* destination);

/// What one pass over a gradient tells.
struct norm_result {
  double sum_of_squares = 0;
  bool finite = true; ///< no value is infinite or NaN
};

/// Squares are exact in double and summed in an order that depends on `n` alone: the same bits for any number of
/// threads and any vector width.
norm_result norm_and_finite(size_t n, const float* x);

} // namespace troupe::gpu::kernels
