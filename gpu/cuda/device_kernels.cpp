#include "gpu/cuda/device_kernels.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "gpu/kernels/activations.hpp"
#if TROUPE_HAS_CUDA
#include "gpu/cuda/launchers.hpp"
#include "gpu/cuda/stream_context.hpp"
#endif

namespace troupe::gpu::device_kernels {

using kernels::bf16;
using kernels::step_buffers;

namespace {

/// `ON_CUDA(adam, (on, n, …))`: the launch of gpu/cuda/launchers.hpp, where Troupe is built with CUDA.
#if TROUPE_HAS_CUDA
#define ON_CUDA(kernel, arguments)                                                                                     \
  [=](cuda::stream_context& stream) {                                                                                  \
    const auto on = stream.where();                                                                                    \
    return cuda::check(cuda::launch::kernel arguments, "launch " #kernel);                                             \
  }
#else
#define ON_CUDA(kernel, arguments) nullptr
#endif

#if TROUPE_HAS_CUDA
cuda::launch::flat_buffers flat(const step_buffers& b) {
  return {b, nullptr, nullptr};
}
cuda::launch::flat_buffers flat(const mixed_buffers& b) {
  return {b.master, b.gradient, b.rounded};
}
#endif

/// Gradient, parameters, next and each state both ways. In bf16 the gradient is half of it, the rounded parameters the
/// other half.
size_t bytes_of(size_t n, int states) {
  return n * sizeof(float) * static_cast<size_t>(3 + 2 * states);
}

/// The step on the host, between casts.
template <class Step>
void mixed(size_t n, const mixed_buffers& b, const Step& step) {
  std::vector<float> gradient(n);
  kernels::from_bf16(n, b.gradient, gradient.data());
  auto buffers = b.master;
  buffers.gradient = gradient.data();
  step(buffers);
  kernels::to_bf16(n, buffers.next, b.rounded);
}

template <class Value>
kernel_call reduction(std::string_view name, size_t n, reduced* result, const Value& value) {
  return {.name = name,
          .bytes = n * sizeof(float),
          .on_host =
            [=] {
              double sum = 0;
              for (size_t i = 0; i < n; ++i)
                sum += value(i);
              *result = {sum, std::isfinite(sum) ? 1u : 0u};
            },
          .on_cuda = nullptr};
}

/// A matrix of either type, as floats.
std::vector<float> floats_of(const matmul_input& in, const void* data, size_t n) {
  std::vector<float> values(n);
  if (in.precision == matmul_precision::bf16)
    kernels::from_bf16(n, static_cast<const bf16*>(data), values.data());
  else
    std::copy_n(static_cast<const float*>(data), n, values.data());
  return values;
}

void matmul_on_host(const matmul_input& in) {
  const auto x = floats_of(in, in.x, in.rows * in.inner);
  const auto w = floats_of(in, in.w, in.columns * in.inner);
  const auto bias = in.after == epilogue::none ? std::vector<float>(in.columns) : floats_of(in, in.bias, in.columns);
  std::vector<float> y(in.rows * in.columns);
  for (size_t row = 0; row < in.rows; ++row)
    for (size_t column = 0; column < in.columns; ++column) {
      auto sum = static_cast<double>(bias[column]);
      for (size_t i = 0; i < in.inner; ++i)
        sum += static_cast<double>(x[row * in.inner + i]) * static_cast<double>(w[column * in.inner + i]);
      y[row * in.columns + column] = static_cast<float>(sum);
    }
  if (in.after == epilogue::bias_relu)
    kernels::relu(y.size(), y.data(), y.data());
  if (in.after == epilogue::bias_gelu)
    kernels::gelu_tanh(y.size(), y.data(), y.data());
  if (in.precision == matmul_precision::bf16)
    kernels::to_bf16(y.size(), y.data(), static_cast<bf16*>(in.y));
  else
    std::copy(y.begin(), y.end(), static_cast<float*>(in.y));
}

#if TROUPE_HAS_CUDA
auto matmul_on_cuda(const matmul_input& in) {
  return [in](cuda::stream_context& stream) { return stream.matmul(in); };
}
#else
std::nullptr_t matmul_on_cuda(const matmul_input&) {
  return nullptr;
}
#endif

} // namespace

kernel_call sgd(size_t n, const kernels::sgd_step& step, const step_buffers& buffers) {
  return {.name = "sgd",
          .bytes = bytes_of(n, 0),
          .on_host = [=] { kernels::sgd(n, step, buffers); },
          .on_cuda = ON_CUDA(sgd, (on, n, step, flat(buffers)))};
}

kernel_call momentum(size_t n, const kernels::momentum_step& step, const step_buffers& buffers) {
  return {.name = "momentum",
          .bytes = bytes_of(n, 1),
          .on_host = [=] { kernels::momentum(n, step, buffers); },
          .on_cuda = ON_CUDA(momentum, (on, n, step, flat(buffers)))};
}

kernel_call adam(size_t n, const kernels::adam_step& step, const step_buffers& buffers) {
  return {.name = "adam",
          .bytes = bytes_of(n, 2),
          .on_host = [=] { kernels::adam(n, step, buffers); },
          .on_cuda = ON_CUDA(adam, (on, n, step, flat(buffers)))};
}

kernel_call rmsprop(size_t n, const kernels::rmsprop_step& step, const step_buffers& buffers) {
  return {.name = "rmsprop",
          .bytes = bytes_of(n, step.momentum > 0 ? 2 : 1),
          .on_host = [=] { kernels::rmsprop(n, step, buffers); },
          .on_cuda = ON_CUDA(rmsprop, (on, n, step, flat(buffers)))};
}

kernel_call sgd(size_t n, const kernels::sgd_step& step, const mixed_buffers& buffers) {
  return {.name = "sgd in bf16",
          .bytes = bytes_of(n, 0),
          .on_host = [=] { mixed(n, buffers, [&](const step_buffers& b) { kernels::sgd(n, step, b); }); },
          .on_cuda = ON_CUDA(sgd, (on, n, step, flat(buffers)))};
}

kernel_call momentum(size_t n, const kernels::momentum_step& step, const mixed_buffers& buffers) {
  return {.name = "momentum in bf16",
          .bytes = bytes_of(n, 1),
          .on_host = [=] { mixed(n, buffers, [&](const step_buffers& b) { kernels::momentum(n, step, b); }); },
          .on_cuda = ON_CUDA(momentum, (on, n, step, flat(buffers)))};
}

kernel_call adam(size_t n, const kernels::adam_step& step, const mixed_buffers& buffers) {
  return {.name = "adam in bf16",
          .bytes = bytes_of(n, 2),
          .on_host = [=] { mixed(n, buffers, [&](const step_buffers& b) { kernels::adam(n, step, b); }); },
          .on_cuda = ON_CUDA(adam, (on, n, step, flat(buffers)))};
}

kernel_call rmsprop(size_t n, const kernels::rmsprop_step& step, const mixed_buffers& buffers) {
  return {.name = "rmsprop in bf16",
          .bytes = bytes_of(n, step.momentum > 0 ? 2 : 1),
          .on_host = [=] { mixed(n, buffers, [&](const step_buffers& b) { kernels::rmsprop(n, step, b); }); },
          .on_cuda = ON_CUDA(rmsprop, (on, n, step, flat(buffers)))};
}

// [call]
kernel_call to_bf16(size_t n, const float* x, bf16* y) {
  return {.name = "to bf16",
          .bytes = n * (sizeof(float) + sizeof(bf16)),
          .on_host = [=] { kernels::to_bf16(n, x, y); },
          .on_cuda = ON_CUDA(to_bf16, (on, n, x, y))};
}
// [/call]

kernel_call from_bf16(size_t n, const bf16* x, float* y) {
  return {.name = "from bf16",
          .bytes = n * (sizeof(float) + sizeof(bf16)),
          .on_host = [=] { kernels::from_bf16(n, x, y); },
          .on_cuda = ON_CUDA(from_bf16, (on, n, x, y))};
}

kernel_call total(size_t n, const float* x, [[maybe_unused]] double* scratch, reduced* result) {
  auto call = reduction("total", n, result, [x](size_t i) { return static_cast<double>(x[i]); });
  call.on_cuda = ON_CUDA(total, (on, n, x, scratch, result));
  return call;
}

kernel_call sum_of_squares(size_t n, const float* x, [[maybe_unused]] double* scratch, reduced* result) {
  auto call = reduction("sum of squares", n, result,
                        [x](size_t i) { return static_cast<double>(x[i]) * static_cast<double>(x[i]); });
  call.on_cuda = ON_CUDA(sum_of_squares, (on, n, x, scratch, result));
  return call;
}

kernel_call softmax_cross_entropy(const kernels::cross_entropy_input& in, float scale, float* gradient,
                                  [[maybe_unused]] double* rows, batch_loss* result) {
  return {.name = "softmax cross-entropy",
          .bytes = in.n * in.classes * sizeof(float) * (gradient ? 2 : 1),
          .on_host =
            [=] {
              const bool labels_are_classes = std::all_of(in.labels, in.labels + in.n, [&](int32_t label) {
                return label >= 0 && static_cast<size_t>(label) < in.classes;
              });
              const auto loss =
                labels_are_classes ? kernels::softmax_cross_entropy(in, scale, gradient) : kernels::loss_result{NAN, 0};
              *result = {loss.loss_sum, loss.correct, std::isfinite(loss.loss_sum) ? 1u : 0u};
            },
          .on_cuda = ON_CUDA(softmax_cross_entropy, (on, in, scale, gradient, rows, result))};
}

kernel_call matmul(const matmul_input& in) {
  const size_t size = in.precision == matmul_precision::bf16 ? sizeof(bf16) : sizeof(float);
  return {.name = "matmul",
          .bytes = size * (in.rows * in.inner + in.columns * in.inner + in.rows * in.columns),
          .on_host = [=] { matmul_on_host(in); },
          .on_cuda = matmul_on_cuda(in)};
}

} // namespace troupe::gpu::device_kernels
