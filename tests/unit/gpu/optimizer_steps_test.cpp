#include "gpu/kernels/optimizer_steps.hpp"

#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <string>

#include "gpu/kernels/plain.hpp"
#include "tests/unit/gpu/samples.hpp"

using namespace troupe::gpu;
namespace kernels = troupe::gpu::kernels;
using kernels::step_buffers;

namespace {

using step_function = std::function<void(size_t, const step_buffers&)>;

struct outcome {
  floats next, first, second;
  bool operator==(const outcome& other) const {
    return same_bits(next, other.next) && same_bits(first, other.first) && same_bits(second, other.second);
  }
};

outcome apply(size_t n, const step_function& step, bool in_place) {
  const auto gradient = random_floats(n, 1);
  auto parameters = random_floats(n, 2);
  outcome out{floats(n), random_floats(n, 3, 0, 1), random_floats(n, 4, 0, 1)};
  step(n, {gradient.data(), parameters.data(), in_place ? parameters.data() : out.next.data(), out.first.data(),
           out.second.data()});
  if (in_place)
    out.next = parameters;
  return out;
}

struct pair {
  std::string name;
  step_function fast, plain;
};

std::vector<pair> steps() {
  std::vector<pair> all;
  const kernels::sgd_step sgd{.learning_rate = 0.1f, .weight_decay = 0.01f, .scale = 0.5f};
  all.push_back({"sgd", [=](size_t n, const step_buffers& b) { kernels::sgd(n, sgd, b); },
                 [=](size_t n, const step_buffers& b) { kernels::plain::sgd(n, sgd, b); }});
  for (const bool nesterov : {false, true}) {
    const kernels::momentum_step s{
      .learning_rate = 0.1f, .momentum = 0.9f, .nesterov = nesterov, .weight_decay = 0.01f};
    all.push_back({nesterov ? "nesterov" : "momentum",
                   [=](size_t n, const step_buffers& b) { kernels::momentum(n, s, b); },
                   [=](size_t n, const step_buffers& b) { kernels::plain::momentum(n, s, b); }});
  }
  for (const float decay : {1.0f, 0.99f}) {
    const kernels::adam_step s{.beta1 = 0.9f,
                               .one_minus_beta1 = 0.1f,
                               .beta2 = 0.999f,
                               .one_minus_beta2 = 0.001f,
                               .step_size = 0.01f,
                               .root_correction = 0.3f,
                               .epsilon = 1e-8f,
                               .weight_decay = decay == 1 ? 0.01f : 0,
                               .decay = decay,
                               .scale = 2};
    all.push_back({decay == 1 ? "adam" : "adamw", [=](size_t n, const step_buffers& b) { kernels::adam(n, s, b); },
                   [=](size_t n, const step_buffers& b) { kernels::plain::adam(n, s, b); }});
  }
  for (const float mu : {0.0f, 0.9f}) {
    const kernels::rmsprop_step s{.learning_rate = 0.01f,
                                  .alpha = 0.99f,
                                  .one_minus_alpha = 0.01f,
                                  .epsilon = 1e-8f,
                                  .momentum = mu,
                                  .weight_decay = 0.01f};
    all.push_back({mu > 0 ? "rmsprop with momentum" : "rmsprop",
                   [=](size_t n, const step_buffers& b) { kernels::rmsprop(n, s, b); },
                   [=](size_t n, const step_buffers& b) { kernels::plain::rmsprop(n, s, b); }});
  }
  all.push_back({"moving average", [](size_t n, const step_buffers& b) { kernels::moving_average(n, 0.1f, b); },
                 [](size_t n, const step_buffers& b) { kernels::plain::moving_average(n, 0.1f, b); }});
  return all;
}

} // namespace

TEST_CASE("optimiser steps compute what their plain versions compute", "[gpu]") {
  for (const auto& step : steps())
    for (const size_t n : odd_sizes) {
      INFO(step.name << ", n = " << n);
      const auto fast = apply(n, step.fast, false);
      const auto plain = apply(n, step.plain, false);
      // A handful of roundings of values of about 1, each 6e-8.
      CHECK(distance(fast.next, plain.next) < 5e-7);
      CHECK(distance(fast.first, plain.first) < 5e-7);
      // The velocity of rmsprop adds g / sqrt(v), whose error is relative to itself.
      CHECK(distance(fast.second, plain.second) < 5e-7);
    }
}

TEST_CASE("optimiser steps give the same bits in place and with any number of threads", "[gpu]") {
  for (const auto& step : steps())
    for (const size_t n : odd_sizes) {
      const auto one = with_threads(1, [&] { return apply(n, step.fast, false); });
      for (const int threads : {1, 2, 3, 7}) {
        INFO(step.name << ", n = " << n << ", threads = " << threads);
        CHECK(with_threads(threads, [&] { return apply(n, step.fast, false); }) == one);
        CHECK(with_threads(threads, [&] { return apply(n, step.fast, true); }) == one);
      }
    }
}

TEST_CASE("a gradient of zero leaves zero parameters and states at zero", "[gpu]") {
  for (const auto& step : steps()) {
    const floats zero(32, 0.0f);
    outcome out{floats(32, 1.0f), zero, zero};
    step.fast(32, {zero.data(), zero.data(), out.next.data(), out.first.data(), out.second.data()});
    INFO(step.name);
    for (const auto* x : {&out.next, &out.first, &out.second})
      for (const float value : *x)
        CHECK(value == 0);
  }
}
