#include "learn/optimizer.hpp"

#include <charconv>
#include <cmath>
#include <fmt/format.h>

#include "gpu/kernels/optimizer_steps.hpp"

namespace troupe::learn {

namespace kernels = gpu::kernels;

namespace {

struct named_kind {
  const char* name;
  optimizer_kind kind;
};

constexpr named_kind kinds[] = {{"sgd", optimizer_kind::sgd},
                                {"momentum", optimizer_kind::momentum},
                                {"adam", optimizer_kind::adam},
                                {"adamw", optimizer_kind::adamw},
                                {"rmsprop", optimizer_kind::rmsprop}};

/// The decimal number that the user wrote: 0.999 for 0.999f. 1 - 0.999f is 1.3e-5 off 0.001, which is what PyTorch,
/// with its doubles, computes with.
double as_written(float x) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, x).ptr;
  double value = 0;
  std::from_chars(text, end, value);
  return value;
}

kernels::adam_step adam_coefficients(const optimizer_options& options, const update_point& at) {
  const bool decoupled = options.kind == optimizer_kind::adamw;
  const double beta1 = as_written(options.beta1);
  const double beta2 = as_written(options.beta2);
  const double rate = as_written(at.learning_rate);
  const double decay = as_written(options.weight_decay);
  const auto step = static_cast<double>(at.step);
  return {.beta1 = options.beta1,
          .one_minus_beta1 = static_cast<float>(1 - beta1),
          .beta2 = options.beta2,
          .one_minus_beta2 = static_cast<float>(1 - beta2),
          .step_size = static_cast<float>(rate / (1 - std::pow(beta1, step))),
          .root_correction = static_cast<float>(std::sqrt(1 - std::pow(beta2, step))),
          .epsilon = options.epsilon,
          .weight_decay = decoupled ? 0 : options.weight_decay,
          .decay = decoupled ? static_cast<float>(1 - rate * decay) : 1,
          .scale = at.scale};
}

void step(const optimizer_options& o, const update_point& at, size_t n, const kernels::step_buffers& buffers) {
  switch (o.kind) {
  case optimizer_kind::sgd:
    kernels::sgd(n, {.learning_rate = at.learning_rate, .weight_decay = o.weight_decay, .scale = at.scale}, buffers);
    break;
  case optimizer_kind::momentum:
    kernels::momentum(n,
                      {.learning_rate = at.learning_rate,
                       .momentum = o.momentum,
                       .nesterov = o.nesterov,
                       .weight_decay = o.weight_decay,
                       .scale = at.scale},
                      buffers);
    break;
  case optimizer_kind::adam:
  case optimizer_kind::adamw:
    kernels::adam(n, adam_coefficients(o, at), buffers);
    break;
  case optimizer_kind::rmsprop:
    kernels::rmsprop(n,
                     {.learning_rate = at.learning_rate,
                      .alpha = o.alpha,
                      .one_minus_alpha = static_cast<float>(1 - as_written(o.alpha)),
                      .epsilon = o.epsilon,
                      .momentum = o.momentum,
                      .weight_decay = o.weight_decay,
                      .scale = at.scale},
                     buffers);
  }
}

} // namespace

expected<optimizer_kind> parse_optimizer(const std::string& name) {
  for (const auto& known : kinds)
    if (name == known.name)
      return known.kind;
  return fail(fmt::format("unknown optimizer '{}': choose sgd, momentum, adam, adamw or rmsprop", name));
}

std::string to_string(optimizer_kind kind) {
  for (const auto& known : kinds)
    if (kind == known.kind)
      return known.name;
  return fmt::format("optimizer_kind({})", static_cast<int>(kind));
}

int state_buffers(const optimizer_options& options) {
  switch (options.kind) {
  case optimizer_kind::sgd:
    return 0;
  case optimizer_kind::momentum:
    return 1;
  case optimizer_kind::adam:
  case optimizer_kind::adamw:
    return 2;
  case optimizer_kind::rmsprop:
    return options.momentum > 0 ? 2 : 1;
  }
  return 0;
}

void update(gpu::stream& s, const optimizer_options& options, update_point at, const block& b, const float* gradient,
            const float* parameters, float* next, std::span<float* const> state) {
  const kernels::step_buffers buffers{.gradient = gradient,
                                      .parameters = parameters,
                                      .next = next,
                                      .first = !state.empty() ? state[0] : nullptr,
                                      .second = state.size() > 1 ? state[1] : nullptr};
  if (b.kind == slice_kind::statistic)
    s.enqueue(
      [n = b.size, momentum = options.statistic_momentum, buffers] { kernels::moving_average(n, momentum, buffers); });
  else
    s.enqueue([n = b.size, options, at, buffers] { step(options, at, n, buffers); });
}

} // namespace troupe::learn
