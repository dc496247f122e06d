#include "gpu/dnn/layer_norm.hpp"

#include <cmath>
#include <cstdint>

#include "gpu/kernels/chunks.hpp"

namespace troupe::gpu::dnn {

void run(const layer_norm_sizes& sizes, const layer_norm_forward& b) {
  const auto features = static_cast<double>(sizes.features);
#pragma omp parallel for schedule(static) if (kernels::use_team)
  for (int64_t row = 0; row < static_cast<int64_t>(sizes.rows); ++row) {
    const size_t at = static_cast<size_t>(row) * sizes.features;
    double sum = 0;
    for (size_t i = 0; i < sizes.features; ++i)
      sum += static_cast<double>(b.x[at + i]);
    const double mean = sum / features;
    double squares = 0;
    for (size_t i = 0; i < sizes.features; ++i) {
      const double d = static_cast<double>(b.x[at + i]) - mean;
      squares += d * d;
    }
    const auto m = static_cast<float>(mean);
    const auto inverse = static_cast<float>(1 / std::sqrt(squares / features + static_cast<double>(sizes.epsilon)));
    b.statistics[2 * row] = m;
    b.statistics[2 * row + 1] = inverse;
    for (size_t i = 0; i < sizes.features; ++i)
      b.y[at + i] = (b.x[at + i] - m) * inverse * b.weight[i] + b.bias[i];
  }
}

void run(const layer_norm_sizes& sizes, const layer_norm_backward& b) {
  const auto features = static_cast<double>(sizes.features);
#pragma omp parallel if (kernels::use_team)
  {
#pragma omp for schedule(static)
    for (int64_t row = 0; row < static_cast<int64_t>(sizes.rows); ++row) {
      const size_t at = static_cast<size_t>(row) * sizes.features;
      const float mean = b.statistics[2 * row];
      const float inverse = b.statistics[2 * row + 1];
      double sum = 0;
      double products = 0;
      for (size_t i = 0; i < sizes.features; ++i) {
        const auto g = static_cast<double>(b.dy[at + i] * b.weight[i]);
        sum += g;
        products += g * static_cast<double>((b.x[at + i] - mean) * inverse);
      }
      const auto mean_gradient = static_cast<float>(sum / features);
      const auto mean_product = static_cast<float>(products / features);
      for (size_t i = 0; i < sizes.features; ++i) {
        const float normal = (b.x[at + i] - mean) * inverse;
        b.dx[at + i] = inverse * (b.dy[at + i] * b.weight[i] - mean_gradient - normal * mean_product);
      }
    }
    // Each feature is summed over the rows in order by one thread, so the bits do not depend on the number of threads.
#pragma omp for schedule(static)
    for (int64_t i = 0; i < static_cast<int64_t>(sizes.features); ++i) {
      float dweight = 0;
      float dbias = 0;
      for (size_t row = 0; row < sizes.rows; ++row) {
        const size_t at = row * sizes.features + static_cast<size_t>(i);
        dweight += b.dy[at] * (b.x[at] - b.statistics[2 * row]) * b.statistics[2 * row + 1];
        dbias += b.dy[at];
      }
      b.dweight[i] = dweight;
      b.dbias[i] = dbias;
    }
  }
}

} // namespace troupe::gpu::dnn
