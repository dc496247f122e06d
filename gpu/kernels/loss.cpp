#include "gpu/kernels/loss.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "gpu/kernels/chunks.hpp"
#include "gpu/kernels/vector_math.hpp"

namespace troupe::gpu::kernels {

namespace {

/// Calls `loss(row)` for all rows and adds up in the order of the rows within a chunk, then of the chunks.
template <class Loss>
loss_result sum_rows(size_t n, size_t width, const Loss& loss) {
  const size_t rows = std::max<size_t>(1, chunk_floats / std::max<size_t>(1, width));
  const auto partial = partial_results<loss_result>(chunks_of(n, rows));
  for_chunks(n, rows, [=, &loss](size_t chunk, size_t begin, size_t end) {
    loss_result sum;
    for (size_t row = begin; row < end; ++row) {
      const auto one = loss(row);
      sum.loss_sum += one.loss_sum;
      sum.correct += one.correct;
    }
    partial[chunk] = sum;
  });
  loss_result total;
  for (const auto& sum : partial) {
    total.loss_sum += sum.loss_sum;
    total.correct += sum.correct;
  }
  return total;
}

float largest(size_t n, const float* x) {
  constexpr size_t lanes = 16; // by hand: clang makes no vectors of a maximum that heeds NaN
  std::array<float, lanes> most;
  most.fill(x[0]);
  const size_t whole = n / lanes * lanes;
  for (size_t i = 0; i < whole; i += lanes)
#pragma omp simd
    for (size_t lane = 0; lane < lanes; ++lane)
      most[lane] = x[i + lane] > most[lane] ? x[i + lane] : most[lane];
  for (size_t i = whole; i < n; ++i)
    most[i - whole] = x[i] > most[i - whole] ? x[i] : most[i - whole];
  return *std::max_element(most.begin(), most.end());
}

/// Writes e^(x - most) and returns the sum; y may be x.
float exponentials(size_t n, const float* x, float most, float* y) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t i = 0; i < n; ++i) {
    const float e = exponential(x[i] - most);
    y[i] = e;
    sum += e;
  }
  return sum;
}

float sum_of_exponentials(size_t n, const float* x, float most) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t i = 0; i < n; ++i)
    sum += exponential(x[i] - most);
  return sum;
}

} // namespace

loss_result softmax_cross_entropy(const cross_entropy_input& in, float scale, float* gradient) {
  return sum_rows(in.n, in.classes, [in, scale, gradient](size_t row) {
    const size_t classes = in.classes;
    const float* x = in.logits + row * classes;
    const auto label = static_cast<size_t>(in.labels[row]);
    const float most = largest(classes, x);
    const double distance = static_cast<double>(most) - static_cast<double>(x[label]);
    const bool correct = std::find(x, x + label + 1, most) == x + label;
    float sum = 0;
    if (gradient) {
      float* g = gradient + row * classes;
      sum = exponentials(classes, x, most, g);
      const float factor = scale / sum;
#pragma omp simd
      for (size_t i = 0; i < classes; ++i)
        g[i] *= factor;
      g[label] -= scale;
    } else {
      sum = sum_of_exponentials(classes, x, most);
    }
    return loss_result{std::log(static_cast<double>(sum)) + distance, correct ? 1 : 0};
  });
}

loss_result mean_squared_error(const squared_error_input& in, float scale, float* gradient) {
  return sum_rows(in.n, in.outputs, [in, scale, gradient](size_t row) {
    const size_t outputs = in.outputs;
    const float* p = in.prediction + row * outputs;
    const float* t = in.target + row * outputs;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < outputs; ++i) {
      const double difference = static_cast<double>(p[i]) - static_cast<double>(t[i]);
      sum += difference * difference;
    }
    if (gradient) {
      float* g = gradient + row * outputs;
      const float factor = scale * 2 / static_cast<float>(outputs);
#pragma omp simd
      for (size_t i = 0; i < outputs; ++i)
        g[i] = factor * (p[i] - t[i]);
    }
    return loss_result{sum / static_cast<double>(outputs), 0};
  });
}

} // namespace troupe::gpu::kernels
