#pragma once

#include <cstddef>

namespace troupe::gpu::kernels {

/// What an optimiser step reads and writes, n floats each; `next` may be `parameters`. Every step starts from
/// g = gradient * scale (+ weight_decay * parameters, except adamw), makes one pass over memory, and follows
/// torch.optim to the order of operations. State starts as zeros.
struct step_buffers {
  const float* gradient = nullptr;
  const float* parameters = nullptr;
  float* next = nullptr;
  float* first = nullptr;  ///< momentum: velocity; adam: mean of g; rmsprop: mean of g²
  float* second = nullptr; ///< adam: mean of g²; rmsprop with momentum: velocity
};

/// next = p - learning_rate * g
struct sgd_step {
  float learning_rate = 0;
  float weight_decay = 0;
  float scale = 1;
};
void sgd(size_t n, const sgd_step& step, const step_buffers& buffers);

/// velocity = momentum * velocity + g; next = p - learning_rate * velocity, or of (g + momentum * velocity) if
/// nesterov.
struct momentum_step {
  float learning_rate = 0;
  float momentum = 0;
  bool nesterov = false;
  float weight_decay = 0;
  float scale = 1;
};
void momentum(size_t n, const momentum_step& step, const step_buffers& buffers);

/// m = beta1 * m + (1 - beta1) * g; v = beta2 * v + (1 - beta2) * g²;
/// next = decay * p - step_size * m / (sqrt(v) / root_correction + epsilon).
/// D. Kingma, J. Ba: "Adam", 2014. The caller computes the coefficients in double and rounds once.
struct adam_step {
  float beta1 = 0;
  float one_minus_beta1 = 0;
  float beta2 = 0;
  float one_minus_beta2 = 0;
  float step_size = 0;       ///< learning rate / (1 - beta1^step)
  float root_correction = 1; ///< sqrt(1 - beta2^step)
  float epsilon = 0;
  float weight_decay = 0; ///< adam: added to the gradient
  float decay = 1;        ///< adamw: 1 - learning rate * weight decay; adam: 1
  float scale = 1;
};
void adam(size_t n, const adam_step& step, const step_buffers& buffers);

/// v = alpha * v + (1 - alpha) * g²; next = p - learning_rate * g / (sqrt(v) + epsilon); with momentum (second buffer)
/// velocity = momentum * velocity + g / (sqrt(v) + epsilon); next = p - learning_rate * velocity.
struct rmsprop_step {
  float learning_rate = 0;
  float alpha = 0;
  float one_minus_alpha = 0;
  float epsilon = 0;
  float momentum = 0; ///< 0: `second` is not used
  float weight_decay = 0;
  float scale = 1;
};
void rmsprop(size_t n, const rmsprop_step& step, const step_buffers& buffers);

/// next = (1 - momentum) * p + momentum * gradient: running statistics of batch norm.
void moving_average(size_t n, float momentum, const step_buffers& buffers);

} // namespace troupe::gpu::kernels
