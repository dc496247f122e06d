#include "gpu/kernels/activations.hpp"

#include <catch2/catch_test_macros.hpp>
#include <limits>

#include "gpu/kernels/plain.hpp"
#include "gpu/kernels/vector_math.hpp"
#include "tests/unit/gpu/samples.hpp"

using namespace troupe::gpu;
namespace kernels = troupe::gpu::kernels;

namespace {

/// The largest |kernel(x) - plain(x)| on inputs in [-12, 12] of every size, NaN counting as infinite.
template <class Kernel, class Plain>
double worst(const Kernel& kernel, const Plain& plain) {
  double most = 0;
  for (const size_t n : odd_sizes) {
    const auto x = random_floats(n, 1, -12, 12);
    floats y(n);
    kernel(n, x.data(), y.data());
    for (size_t i = 0; i < n; ++i) {
      const double error = std::fabs(y[i] - plain(static_cast<double>(x[i])));
      most = error <= most ? most : (error > most ? error : INFINITY);
    }
    floats again(n);
    with_threads(3, [&] { return kernel(n, x.data(), again.data()), 0; });
    if (!same_bits(y, again))
      return INFINITY;
    again = x;
    kernel(n, again.data(), again.data());
    if (!same_bits(y, again))
      return INFINITY;
  }
  return most;
}

template <class Backward>
auto slope_of(const Backward& backward) {
  return [backward](size_t n, const float* x, float* dx) {
    const floats ones(n, 1.0f);
    backward(n, x, ones.data(), dx);
  };
}

} // namespace

TEST_CASE("the exponential is right to 2e-7 and saturates", "[gpu]") {
  for (int i = 0; i < 12817; ++i) {
    const float x = -87.3f + 0.0137f * static_cast<float>(i); // to 88.3
    CHECK(std::fabs(kernels::exponential(x) / std::exp(static_cast<double>(x)) - 1) < 2e-7);
  }
  CHECK(kernels::exponential(0) == 1);
  CHECK(kernels::exponential(-1e30f) < 1.3e-38f);
  CHECK(kernels::exponential(-1e30f) > 0);
  CHECK(std::isfinite(kernels::exponential(1e30f)));
  CHECK(std::isnan(kernels::exponential(NAN)));
}

TEST_CASE("tanh and erf are right to 2e-7", "[gpu]") {
  for (int i = 0; i < 17519; ++i) {
    const float x = -12 + 0.00137f * static_cast<float>(i); // to 12
    CHECK(std::fabs(kernels::hyperbolic_tangent(x) - std::tanh(static_cast<double>(x))) < 2e-7);
    CHECK(std::fabs(kernels::error_function(x) - std::erf(static_cast<double>(x))) < 2e-7);
  }
}

// Tolerances: values up to 12 are rounded to 5e-7; slopes are about 1, from functions good to 2e-7.
TEST_CASE("activations and their slopes are what their definitions say", "[gpu]") {
  CHECK(worst(kernels::relu, [](double x) { return x > 0 ? x : 0; }) == 0);
  CHECK(worst(kernels::tanh, [](double x) { return std::tanh(x); }) < 2e-7);
  CHECK(worst(kernels::gelu, kernels::plain::gelu) < 2e-6);
  CHECK(worst(kernels::gelu_tanh, kernels::plain::gelu_tanh) < 2e-6);
  CHECK(worst(slope_of(kernels::relu_backward), [](double x) { return x > 0 ? 1.0 : 0.0; }) == 0);
  CHECK(worst(slope_of(kernels::tanh_backward), [](double y) { return 1 - y * y; }) < 1e-5); // y² up to 144
  CHECK(worst(slope_of(kernels::gelu_backward), kernels::plain::gelu_slope) < 1e-6);
  CHECK(worst(slope_of(kernels::gelu_tanh_backward), kernels::plain::gelu_tanh_slope) < 2e-6);
}

TEST_CASE("a slope multiplies the gradient that comes in", "[gpu]") {
  const auto x = random_floats(100, 1, -3, 3);
  const auto dy = random_floats(100, 2);
  for (const auto backward :
       {kernels::relu_backward, kernels::gelu_backward, kernels::gelu_tanh_backward, kernels::tanh_backward}) {
    floats slope(100);
    floats dx(100);
    slope_of(backward)(100, x.data(), slope.data());
    backward(100, x.data(), dy.data(), dx.data());
    for (size_t i = 0; i < 100; ++i)
      CHECK(std::fabs(dx[i] - dy[i] * slope[i]) <= 3e-7f * std::fabs(dx[i]));
  }
}

TEST_CASE("activations pass NaN on", "[gpu]") {
  floats x(33, 1.0f);
  x[7] = x[32] = std::numeric_limits<float>::quiet_NaN();
  for (const auto forward : {kernels::relu, kernels::gelu, kernels::gelu_tanh, kernels::tanh}) {
    floats y(33);
    forward(33, x.data(), y.data());
    CHECK(std::isnan(y[7]));
    CHECK(std::isnan(y[32]));
    CHECK(std::isfinite(y[8]));
  }
}
