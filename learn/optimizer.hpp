#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "gpu/stream.hpp"
#include "learn/layout.hpp"
#include "messages/failure.hpp"

namespace troupe::learn {

enum class optimizer_kind : uint8_t { sgd, momentum, adam, adamw, rmsprop };

/// PyTorch's definitions and defaults (torch.optim.SGD, Adam, AdamW, RMSprop).
struct optimizer_options {
  optimizer_kind kind = optimizer_kind::momentum;
  float learning_rate = 0.05f;
  float momentum = 0.9f; ///< momentum and (if > 0) rmsprop
  bool nesterov = false;
  float beta1 = 0.9f; ///< adam, adamw
  float beta2 = 0.999f;
  float alpha = 0.99f; ///< rmsprop
  float epsilon = 1e-8f;
  float weight_decay = 0;          ///< coupled (added to the gradient), except adamw
  float clip_norm = 0;             ///< 0: no clipping; else the global gradient norm is limited to it
  float statistic_momentum = 0.1f; ///< of batch-norm running statistics
};

expected<optimizer_kind> parse_optimizer(const std::string& name);
std::string to_string(optimizer_kind kind);

/// How many state buffers of the parameter's size the optimiser keeps: 0 (sgd), 1, 2.
int state_buffers(const optimizer_options& options);

/// What changes from step to step.
struct update_point {
  uint64_t step = 1;       ///< 1 for the first update (bias correction)
  float learning_rate = 0; ///< of this step, schedule applied
  float scale = 1;         ///< multiplies the gradient first (clipping)
};

/// Enqueues one update of a block: reads `gradient` and `parameters`, writes `next` (may alias `parameters`), updates
/// `state` in place (`state_buffers` spans). A block of statistics becomes (1-m)·parameters + m·gradient instead and
/// its gradient is not scaled. All buffers: `b.size` floats, 64-byte aligned; they must outlive the work.
void update(gpu::stream& s, const optimizer_options& options, update_point at, const block& b, const float* gradient,
            const float* parameters, float* next, std::span<float* const> state);

} // namespace troupe::learn
