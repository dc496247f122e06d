#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <numbers>

#include "gpu/kernels/dropout.hpp"
#include "gpu/kernels/loss.hpp"
#include "gpu/kernels/optimizer_steps.hpp"
#include "gpu/kernels/philox.hpp"

/// What each kernel computes, spelled as its definition: one loop, double precision, library functions. Tests compare
/// the kernels with these; nothing else uses them.
namespace troupe::gpu::kernels::plain {

inline double decayed(size_t i, float scale, float weight_decay, const step_buffers& b) {
  return static_cast<double>(b.gradient[i]) * scale + static_cast<double>(weight_decay) * b.parameters[i];
}

inline void sgd(size_t n, const sgd_step& s, const step_buffers& b) {
  for (size_t i = 0; i < n; ++i)
    b.next[i] = static_cast<float>(b.parameters[i] - s.learning_rate * decayed(i, s.scale, s.weight_decay, b));
}

inline void momentum(size_t n, const momentum_step& s, const step_buffers& b) {
  for (size_t i = 0; i < n; ++i) {
    const double g = decayed(i, s.scale, s.weight_decay, b);
    const double velocity = static_cast<double>(s.momentum) * b.first[i] + g;
    b.first[i] = static_cast<float>(velocity);
    const double direction = s.nesterov ? g + s.momentum * velocity : velocity;
    b.next[i] = static_cast<float>(b.parameters[i] - s.learning_rate * direction);
  }
}

inline void adam(size_t n, const adam_step& s, const step_buffers& b) {
  for (size_t i = 0; i < n; ++i) {
    const double g = decayed(i, s.scale, s.weight_decay, b);
    const double mean = static_cast<double>(s.beta1) * b.first[i] + s.one_minus_beta1 * g;
    const double square = static_cast<double>(s.beta2) * b.second[i] + s.one_minus_beta2 * g * g;
    b.first[i] = static_cast<float>(mean);
    b.second[i] = static_cast<float>(square);
    const double direction = mean / (std::sqrt(square) / s.root_correction + s.epsilon);
    b.next[i] = static_cast<float>(static_cast<double>(s.decay) * b.parameters[i] - s.step_size * direction);
  }
}

inline void rmsprop(size_t n, const rmsprop_step& s, const step_buffers& b) {
  for (size_t i = 0; i < n; ++i) {
    const double g = decayed(i, s.scale, s.weight_decay, b);
    const double square = static_cast<double>(s.alpha) * b.first[i] + s.one_minus_alpha * g * g;
    b.first[i] = static_cast<float>(square);
    double direction = g / (std::sqrt(square) + s.epsilon);
    if (s.momentum > 0) {
      direction += static_cast<double>(s.momentum) * b.second[i];
      b.second[i] = static_cast<float>(direction);
    }
    b.next[i] = static_cast<float>(b.parameters[i] - s.learning_rate * direction);
  }
}

inline void moving_average(size_t n, float momentum, const step_buffers& b) {
  for (size_t i = 0; i < n; ++i)
    b.next[i] = static_cast<float>((1.0 - momentum) * b.parameters[i] + static_cast<double>(momentum) * b.gradient[i]);
}

inline double sum_of_squares(size_t n, const float* x) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i)
    sum += static_cast<double>(x[i]) * x[i];
  return sum;
}

inline double gelu(double x) {
  return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2));
}

inline double gelu_slope(double x) {
  const double density = std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi);
  return 0.5 * (1 + std::erf(x / std::numbers::sqrt2)) + x * density;
}

inline double gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

inline double gelu_tanh_slope(double x) {
  const double factor = std::sqrt(2 / std::numbers::pi);
  const double t = std::tanh(factor * (x + 0.044715 * x * x * x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * factor * (1 + 3 * 0.044715 * x * x);
}

inline loss_result softmax_cross_entropy(const cross_entropy_input& in, float scale, float* gradient) {
  loss_result result;
  for (size_t row = 0; row < in.n; ++row) {
    const float* x = in.logits + row * in.classes;
    const auto label = static_cast<size_t>(in.labels[row]);
    size_t most = 0;
    for (size_t c = 1; c < in.classes; ++c)
      most = x[c] > x[most] ? c : most;
    double sum = 0;
    for (size_t c = 0; c < in.classes; ++c)
      sum += std::exp(static_cast<double>(x[c]) - x[most]);
    for (size_t c = 0; c < in.classes; ++c) {
      const double probability = std::exp(static_cast<double>(x[c]) - x[most]) / sum;
      gradient[row * in.classes + c] = static_cast<float>(scale * (probability - (c == label ? 1 : 0)));
    }
    result.loss_sum += std::log(sum) + x[most] - x[label];
    result.correct += most == label ? 1 : 0;
  }
  return result;
}

inline loss_result mean_squared_error(const squared_error_input& in, float scale, float* gradient) {
  loss_result result;
  const auto outputs = static_cast<double>(in.outputs);
  for (size_t i = 0; i < in.n * in.outputs; ++i) {
    const double difference = static_cast<double>(in.prediction[i]) - in.target[i];
    result.loss_sum += difference * difference / outputs;
    gradient[i] = static_cast<float>(scale * 2 / outputs * difference);
  }
  return result;
}

/// Of the two bf16 values around x the nearer one, the even one if both are as near. For finite x.
inline uint16_t to_bf16(float x) {
  uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof x);
  const auto below = static_cast<uint16_t>(bits >> 16); // towards zero
  const uint32_t rest = bits & 0xffff;
  const bool up = rest > 0x8000 || (rest == 0x8000 && below % 2 == 1);
  return static_cast<uint16_t>(below + (up ? 1 : 0));
}

/// The random word that decides about activation i, by the public description of the mask's layout: Philox block
/// 16 (i / 64) + i % 16, word (i / 16) % 4.
inline bool dropped(size_t i, const dropout_key& key, float rate) {
  const auto block = static_cast<uint32_t>(16 * (i / 64) + i % 16);
  const auto low = static_cast<uint32_t>(key.seed);
  const auto high = static_cast<uint32_t>(key.seed >> 32) ^ 0x64726f70u;
  const auto words = philox4x32({block, key.layer, key.micro_batch, key.step}, {low, high});
  return words[(i / 16) % 4] < rate * 4294967296.0;
}

} // namespace troupe::gpu::kernels::plain
