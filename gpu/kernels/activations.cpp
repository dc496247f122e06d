#include "gpu/kernels/activations.hpp"

#include "gpu/kernels/chunks.hpp"
#include "gpu/kernels/vector_math.hpp"

namespace troupe::gpu::kernels {

namespace {

constexpr float half_root = 0.70710678f;       // 1 / sqrt(2)
constexpr float density_at_zero = 0.39894228f; // 1 / sqrt(2 pi)
constexpr float tanh_factor = 0.79788456f;     // sqrt(2 / pi)
constexpr float tanh_cube = 0.044715f;

/// y[i] = f(x[i])
template <class F>
void map(size_t n, const float* x, float* y, F f) {
  for_chunks(n, [=](size_t begin, size_t end) {
#pragma omp simd
    for (size_t i = begin; i < end; ++i)
      y[i] = f(x[i]);
  });
}

/// z[i] = f(x[i], y[i])
template <class F>
void map(size_t n, const float* x, const float* y, float* z, F f) {
  for_chunks(n, [=](size_t begin, size_t end) {
#pragma omp simd
    for (size_t i = begin; i < end; ++i)
      z[i] = f(x[i], y[i]);
  });
}

} // namespace

void relu(size_t n, const float* x, float* y) {
  map(n, x, y, [](float v) { return v < 0 ? 0.0f : v; });
}

void relu_backward(size_t n, const float* y, const float* dy, float* dx) {
  map(n, y, dy, dx, [](float v, float d) { return v <= 0 ? 0.0f : d; });
}

void gelu(size_t n, const float* x, float* y) {
  map(n, x, y, [](float v) { return 0.5f * v * (1 + error_function(v * half_root)); });
}

void gelu_backward(size_t n, const float* x, const float* dy, float* dx) {
  map(n, x, dy, dx, [](float v, float d) {
    const float distribution = 0.5f * (1 + error_function(v * half_root));
    const float density = density_at_zero * exponential(-0.5f * v * v);
    return d * (distribution + v * density);
  });
}

void gelu_tanh(size_t n, const float* x, float* y) {
  map(n, x, y, [](float v) { return 0.5f * v * (1 + hyperbolic_tangent(tanh_factor * (v + tanh_cube * v * v * v))); });
}

void gelu_tanh_backward(size_t n, const float* x, const float* dy, float* dx) {
  map(n, x, dy, dx, [](float v, float d) {
    const float t = hyperbolic_tangent(tanh_factor * (v + tanh_cube * v * v * v));
    const float slope = (1 - t * t) * tanh_factor * (1 + 3 * tanh_cube * v * v);
    return d * 0.5f * (1 + t + v * slope);
  });
}

void tanh(size_t n, const float* x, float* y) {
  map(n, x, y, [](float v) { return hyperbolic_tangent(v); });
}

void tanh_backward(size_t n, const float* y, const float* dy, float* dx) {
  map(n, y, dy, dx, [](float v, float d) { return d * (1 - v * v); });
}

} // namespace troupe::gpu::kernels
