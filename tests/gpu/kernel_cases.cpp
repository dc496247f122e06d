#include "tests/gpu/kernel_cases.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <limits>

#include "gpu/kernels/plain.hpp"
#include "tests/unit/gpu/samples.hpp"

namespace troupe::gpu {
namespace {

using device_kernels::batch_loss;
using device_kernels::epilogue;
using device_kernels::matmul_input;
using device_kernels::matmul_precision;
using device_kernels::mixed_buffers;
using device_kernels::reduced;
using kernels::bf16;
using kernels::step_buffers;

constexpr double f32_tolerance = 1e-5;
constexpr double bf16_tolerance =
  0x1p-7; // a value on the edge between two bf16 may round either way, and they are this far apart

template <class T>
std::vector<std::byte> bytes(const std::vector<T>& values) {
  std::vector<std::byte> all(values.size() * sizeof(T));
  if (!all.empty())
    std::memcpy(all.data(), values.data(), all.size());
  return all;
}

template <class T>
std::vector<T> values(const std::vector<std::byte>& all) {
  std::vector<T> out(all.size() / sizeof(T));
  if (!out.empty())
    std::memcpy(out.data(), all.data(), all.size());
  return out;
}

float widen(bf16 x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x) << 16);
}

std::vector<bf16> rounded(const floats& x) {
  std::vector<bf16> y(x.size());
  for (size_t i = 0; i < x.size(); ++i)
    y[i] = kernels::plain::to_bf16(x[i]);
  return y;
}

floats widened(const std::vector<bf16>& x) {
  floats y(x.size());
  for (size_t i = 0; i < x.size(); ++i)
    y[i] = widen(x[i]);
  return y;
}

size_t size_of(element type) {
  switch (type) {
  case element::bf16:
    return 2;
  case element::f64:
    return 8;
  case element::result:
    return 1;
  default:
    return 4;
  }
}

template <class T>
T* at(const std::vector<void*>& addresses, size_t i) {
  return static_cast<T*>(addresses[i]);
}

// -- optimiser steps ------------------------------------------------------------------------------

/// A step in f32 and in bf16. `Kernel` and `Plain` have overloads for the step's type.
template <class Step, class Kernel, class Plain>
void add_steps(std::vector<kernel_case>& all, const std::string& name, size_t n, const Step& step, Kernel kernel,
               Plain plain) {
  const auto gradient = random_floats(n, 1);
  const auto parameters = random_floats(n, 2);
  const auto first = random_floats(n, 3, 0, 1);
  const auto second = random_floats(n, 4, 0, 1);
  for (const bool half : {false, true}) {
    const auto given = half ? widened(rounded(gradient)) : gradient;
    floats next(n);
    auto first_after = first;
    auto second_after = second;
    plain(n, step, step_buffers{given.data(), parameters.data(), next.data(), first_after.data(), second_after.data()});
    kernel_case c{.name = name + (half ? " in bf16" : ""),
                  .buffers = {{element::f32, bytes(parameters), bytes(parameters)},
                              {element::f32, bytes(floats(n)), bytes(next), f32_tolerance},
                              {element::f32, bytes(first), bytes(first_after), f32_tolerance},
                              {element::f32, bytes(second), bytes(second_after), f32_tolerance}},
                  .call = nullptr};
    if (half) {
      c.buffers.push_back({element::bf16, bytes(rounded(gradient))});
      c.buffers.push_back({element::bf16, bytes(std::vector<bf16>(n)), bytes(rounded(next)), bf16_tolerance});
      c.call = [=](const std::vector<void*>& a) {
        return kernel(n, step,
                      mixed_buffers{at<bf16>(a, 4),
                                    at<bf16>(a, 5),
                                    {nullptr, at<float>(a, 0), at<float>(a, 1), at<float>(a, 2), at<float>(a, 3)}});
      };
    } else {
      c.buffers.push_back({element::f32, bytes(gradient)});
      c.call = [=](const std::vector<void*>& a) {
        return kernel(
          n, step, step_buffers{at<float>(a, 4), at<float>(a, 0), at<float>(a, 1), at<float>(a, 2), at<float>(a, 3)});
      };
    }
    all.push_back(std::move(c));
  }
}

#define STEP_OF(name)                                                                                                  \
  [](size_t count, const auto& s, const auto& b) { return device_kernels::name(count, s, b); },                        \
    [](size_t count, const auto& s, const step_buffers& b) { kernels::plain::name(count, s, b); }

void add_optimizers(std::vector<kernel_case>& all, size_t n) {
  add_steps(all, "sgd", n, kernels::sgd_step{.learning_rate = 0.1f, .weight_decay = 0.01f, .scale = 0.5f},
            STEP_OF(sgd));
  for (const bool nesterov : {false, true})
    add_steps(all, nesterov ? "nesterov" : "momentum", n,
              kernels::momentum_step{
                .learning_rate = 0.1f, .momentum = 0.9f, .nesterov = nesterov, .weight_decay = 0.01f, .scale = 0.5f},
              STEP_OF(momentum));
  for (const bool decoupled : {false, true})
    add_steps(all, decoupled ? "adamw" : "adam", n,
              kernels::adam_step{.beta1 = 0.9f,
                                 .one_minus_beta1 = 0.1f,
                                 .beta2 = 0.999f,
                                 .one_minus_beta2 = 0.001f,
                                 .step_size = 0.01f,
                                 .root_correction = 0.3f,
                                 .epsilon = 1e-8f,
                                 .weight_decay = decoupled ? 0.0f : 0.01f,
                                 .decay = decoupled ? 0.99f : 1.0f,
                                 .scale = 2},
              STEP_OF(adam));
  for (const float mu : {0.0f, 0.9f})
    add_steps(all, mu > 0 ? "rmsprop with momentum" : "rmsprop", n,
              kernels::rmsprop_step{.learning_rate = 0.01f,
                                    .alpha = 0.99f,
                                    .one_minus_alpha = 0.01f,
                                    .epsilon = 1e-8f,
                                    .momentum = mu,
                                    .weight_decay = 0.01f,
                                    .scale = 1},
              STEP_OF(rmsprop));
}

#undef STEP_OF

// -- casts, reductions, loss ----------------------------------------------------------------------

void add_casts(std::vector<kernel_case>& all, size_t n) {
  auto x = random_floats(n, 5, -1000, 1000);
  constexpr float special[] = {0.0f, -0.0f, 1.00390625f, 1.01171875f, INFINITY, -INFINITY, 3.4e38f, 1e-40f};
  for (size_t i = 0; i < std::size(special) && i < n; ++i)
    x[i] = special[i];
  const auto y = rounded(x);
  // [case]
  all.push_back(
    {"to bf16",
     {{element::f32, bytes(x)}, {element::bf16, bytes(std::vector<bf16>(n)), bytes(y)}},
     [=](const std::vector<void*>& a) { return device_kernels::to_bf16(n, at<float>(a, 0), at<bf16>(a, 1)); }});
  // [/case]
  all.push_back(
    {"from bf16",
     {{element::bf16, bytes(y)}, {element::f32, bytes(floats(n)), bytes(widened(y))}},
     [=](const std::vector<void*>& a) { return device_kernels::from_bf16(n, at<bf16>(a, 0), at<float>(a, 1)); }});
}

void add_reductions(std::vector<kernel_case>& all, size_t n) {
  for (const bool finite : {true, false}) {
    auto x = random_floats(n, 6);
    if (!finite)
      x[n / 2] = n % 2 == 0 ? NAN : INFINITY;
    double sum = 0;
    for (const float v : x)
      sum += static_cast<double>(v);
    const auto add = [&](const std::string& name, double value, auto kernel) {
      // The flag of a result is compared as a number, too: 1 or 0.
      std::vector<double> expected{value, finite ? 1.0 : 0.0};
      all.push_back(
        {name + (finite ? "" : ", not finite"),
         {{element::f32, bytes(x)},
          {element::f64, bytes(std::vector<double>(device_kernels::reduction_scratch))},
          {element::result, bytes(std::vector<reduced>(1)), bytes(expected), 1e-12}},
         [=](const std::vector<void*>& a) { return kernel(n, at<float>(a, 0), at<double>(a, 1), at<reduced>(a, 2)); }});
    };
    add("total", sum, [](auto... xs) { return device_kernels::total(xs...); });
    add("sum of squares", kernels::plain::sum_of_squares(n, x.data()),
        [](auto... xs) { return device_kernels::sum_of_squares(xs...); });
  }
}

enum class trouble : uint8_t { none, logit, label };

void add_loss(std::vector<kernel_case>& all, size_t n, size_t classes, trouble what) {
  const float scale = 0.25f;
  auto logits = random_floats(n * classes, 7, -8, 8);
  std::vector<int32_t> labels(n);
  for (size_t i = 0; i < n; ++i)
    labels[i] = static_cast<int32_t>(i * 7 % classes);
  floats gradient(logits.size());
  const auto loss =
    kernels::plain::softmax_cross_entropy({n, classes, logits.data(), labels.data()}, scale, gradient.data());
  std::vector<double> expected{loss.loss_sum, static_cast<double>(loss.correct), 1};
  if (what == trouble::logit)
    logits[logits.size() / 2] = NAN;
  if (what == trouble::label)
    labels[n - 1] = static_cast<int32_t>(classes);
  if (what != trouble::none)
    expected = {NAN, NAN, 0};
  kernel_case c{.name = fmt::format("cross-entropy of {} classes{}", classes,
                                    what == trouble::none    ? ""
                                    : what == trouble::label ? ", a label too large"
                                                             : ", a logit not finite"),
                .buffers = {{element::f32, bytes(logits)},
                            {element::i32, bytes(labels)},
                            {element::f32, bytes(floats(gradient.size()))},
                            {element::f64, bytes(std::vector<double>(2 * n))},
                            {element::result, bytes(std::vector<batch_loss>(1)), bytes(expected), f32_tolerance}},
                .call = [=](const std::vector<void*>& a) {
                  return device_kernels::softmax_cross_entropy({n, classes, at<float>(a, 0), at<int32_t>(a, 1)}, scale,
                                                               at<float>(a, 2), at<double>(a, 3), at<batch_loss>(a, 4));
                }};
  if (what == trouble::none) {
    c.buffers[2].expected = bytes(gradient);
    c.buffers[2].tolerance = f32_tolerance;
  }
  all.push_back(std::move(c));
}

// -- matrices -------------------------------------------------------------------------------------

void add_matmul(std::vector<kernel_case>& all, size_t rows, size_t columns, size_t inner, epilogue after,
                matmul_precision precision) {
  const bool half = precision == matmul_precision::bf16;
  auto x = random_floats(rows * inner, 8);
  auto w = random_floats(columns * inner, 9);
  auto bias = random_floats(columns, 10);
  if (half)
    for (auto* each : {&x, &w, &bias})
      *each = widened(rounded(*each));
  floats y(rows * columns);
  for (size_t r = 0; r < rows; ++r)
    for (size_t c = 0; c < columns; ++c) {
      double sum = after == epilogue::none ? 0 : static_cast<double>(bias[c]);
      for (size_t i = 0; i < inner; ++i)
        sum += static_cast<double>(x[r * inner + i]) * static_cast<double>(w[c * inner + i]);
      if (after == epilogue::bias_relu)
        sum = std::max(0.0, sum);
      if (after == epilogue::bias_gelu)
        sum = kernels::plain::gelu_tanh(sum);
      y[r * columns + c] = static_cast<float>(sum);
    }
  const auto type = half ? element::bf16 : element::f32;
  const auto pack = [&](const floats& v) { return half ? bytes(rounded(v)) : bytes(v); };
  // A tf32 factor keeps 10 bits of mantissa, so each product of two below 1 is off by 2^-10 at most, and their sum
  // grows with the root of how many there are: the signs are random.
  const double tf32_tolerance = 4 * 0x1p-10 * std::sqrt(static_cast<double>(inner));
  const double tolerance = half ? bf16_tolerance : precision == matmul_precision::tf32 ? tf32_tolerance : f32_tolerance;
  constexpr const char* after_names[] = {"", " + bias", " + bias, relu", " + bias, gelu"};
  constexpr const char* precision_names[] = {"f32", "tf32", "bf16"};
  all.push_back(
    {fmt::format("matmul {}x{}x{} {}{}", rows, columns, inner, precision_names[static_cast<size_t>(precision)],
                 after_names[static_cast<size_t>(after)]),
     {{type, pack(x)}, {type, pack(w)}, {type, pack(bias)}, {type, pack(floats(y.size())), pack(y), tolerance}},
     [=](const std::vector<void*>& a) {
       return device_kernels::matmul(matmul_input{rows, columns, inner, a[0], a[1],
                                                  after == epilogue::none ? nullptr : a[2], a[3], after, precision});
     }});
}

// -- comparing ------------------------------------------------------------------------------------

/// As doubles. A result is read by its place: the first number is a double, others are integers.
std::vector<double> numbers(const case_buffer& b, const std::vector<std::byte>& raw, bool expected) {
  std::vector<double> out;
  switch (b.type) {
  case element::f32:
    for (const float v : values<float>(raw))
      out.push_back(static_cast<double>(v));
    break;
  case element::bf16:
    for (const bf16 v : values<bf16>(raw))
      out.push_back(static_cast<double>(widen(v)));
    break;
  case element::i32:
    for (const int32_t v : values<int32_t>(raw))
      out.push_back(v);
    break;
  case element::f64:
    out = values<double>(raw);
    break;
  case element::result:
    out = values<double>(raw);
    if (!expected)
      for (size_t i = 1; i < out.size(); ++i)
        out[i] = static_cast<double>(std::bit_cast<int64_t>(out[i]));
  }
  return out;
}

} // namespace

std::vector<kernel_case> kernel_cases(size_t n) {
  std::vector<kernel_case> all;
  add_optimizers(all, n);
  add_casts(all, n);
  add_reductions(all, n);
  for (const size_t classes : {size_t{2}, size_t{10}, size_t{1000}, size_t{1025}})
    add_loss(all, std::max<size_t>(1, n / classes), classes, trouble::none);
  add_loss(all, std::max<size_t>(1, n / 10), 10, trouble::logit);
  add_loss(all, std::max<size_t>(1, n / 10), 10, trouble::label);
  const auto side = std::min<size_t>(128, static_cast<size_t>(std::sqrt(static_cast<double>(n))) + 1);
  for (const auto after : {epilogue::none, epilogue::bias, epilogue::bias_relu, epilogue::bias_gelu}) {
    add_matmul(all, side, side + 2, side + 4, after, matmul_precision::f32);
    add_matmul(all, side, side + 2, side + 4, after, matmul_precision::tf32);
    add_matmul(all, 8 * side, 8 * (side + 1), 8 * (side / 2 + 1), after, matmul_precision::bf16);
  }
  return all;
}

device_result<std::vector<std::vector<std::byte>>> run_case(driver& dev, const std::shared_ptr<device_stream>& stream,
                                                            const kernel_case& c, const std::function<void()>& finish,
                                                            size_t offset) {
  std::vector<device_buffer> memory;
  std::vector<pinned_array<std::byte>> pinned;
  std::vector<void*> addresses;
  for (const auto& b : c.buffers) {
    const size_t shift = b.type == element::f32 || b.type == element::bf16 ? offset * size_of(b.type) : 0;
    auto on_device = stream->allocate(b.contents.size() + shift);
    if (!on_device)
      return tl::unexpected(on_device.error());
    auto on_host = dev.allocate_pinned<std::byte>(b.contents.size());
    if (!on_host)
      return tl::unexpected(on_host.error());
    std::copy(b.contents.begin(), b.contents.end(), on_host->get());
    addresses.push_back(on_device->data() + shift);
    if (const auto copied = stream->copy(addresses.back(), on_host->get(), b.contents.size()); !copied)
      return tl::unexpected(copied.error());
    memory.push_back(std::move(*on_device));
    pinned.push_back(std::move(*on_host));
  }
  if (const auto launched = stream->launch(c.call(addresses)); !launched)
    return tl::unexpected(launched.error());
  for (size_t i = 0; i < c.buffers.size(); ++i)
    if (const auto copied = stream->copy(pinned[i].get(), addresses[i], c.buffers[i].contents.size()); !copied)
      return tl::unexpected(copied.error());
  finish();
  if (const auto idle = stream->idle(); !idle)
    return tl::unexpected(idle.error());
  std::vector<std::vector<std::byte>> results;
  for (size_t i = 0; i < c.buffers.size(); ++i)
    results.emplace_back(pinned[i].get(), pinned[i].get() + c.buffers[i].contents.size());
  return results;
}

std::string problems(const kernel_case& c, const std::vector<std::vector<std::byte>>& results, double* worst) {
  std::string text;
  for (size_t i = 0; i < c.buffers.size(); ++i) {
    const auto& b = c.buffers[i];
    if (b.expected.empty())
      continue;
    const auto expected = numbers(b, b.expected, true);
    const auto got = numbers(b, results[i], false);
    double most = 0;
    size_t where = 0;
    for (size_t j = 0; j < expected.size(); ++j) {
      if (std::isnan(expected[j])) // anything goes: another number says that it is not to be used
        continue;
      const double far = expected[j] == got[j] ? 0 : std::fabs(got[j] - expected[j]) / (1 + std::fabs(expected[j]));
      if (!(far <= most)) { // NaN counts as far
        most = std::isnan(far) ? std::numeric_limits<double>::infinity() : far;
        where = j;
      }
    }
    if (worst)
      *worst = std::max(*worst, most);
    if (most > b.tolerance)
      text += fmt::format("buffer {}: element {} is {}, should be {}: off by {:.2e}, {:.2e} is allowed\n", i, where,
                          got[where], expected[where], most, b.tolerance);
  }
  return text;
}

} // namespace troupe::gpu
