#pragma once

#include <cstddef>

namespace troupe::gpu::dnn {

/// Layer normalisation over rows of `features` floats (J. L. Ba, J. R. Kiros, G. E. Hinton, 2016):
/// y = weight · (x - mean) / sqrt(variance + epsilon) + bias. x, y, dy, dx: (rows, features), row-major; weight, bias
/// and their gradients: (features); statistics: (rows, 2), mean and 1 / sqrt(variance + epsilon).
struct layer_norm_sizes {
  size_t rows = 0;
  size_t features = 0;
  float epsilon = 1e-5f;
};

struct layer_norm_forward {
  const float* x;
  const float* weight;
  const float* bias;
  float* y;
  float* statistics;
};
void run(const layer_norm_sizes& sizes, const layer_norm_forward& b);

struct layer_norm_backward {
  const float* dy;
  const float* x;
  const float* weight;
  const float* statistics;
  float* dx;
  float* dweight;
  float* dbias;
};
void run(const layer_norm_sizes& sizes, const layer_norm_backward& b);

} // namespace troupe::gpu::dnn
