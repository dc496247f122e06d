#include "gpu/kernels/optimizer_steps.hpp"

#include <cmath>

#include "gpu/kernels/chunks.hpp"

namespace troupe::gpu::kernels {

// Loops read their coefficients and pointers from a copy on the stack: behind a reference, every store of a float could
// change them.

void sgd(size_t n, const sgd_step& step, const step_buffers& buffers) {
  for_chunks(n, [&](size_t begin, size_t end) {
    const sgd_step s = step;
    const step_buffers b = buffers;
#pragma omp simd
    for (size_t i = begin; i < end; ++i) {
      const float g = b.gradient[i] * s.scale + s.weight_decay * b.parameters[i];
      b.next[i] = b.parameters[i] - s.learning_rate * g;
    }
  });
}

namespace {

template <bool Nesterov>
void momentum_chunks(size_t n, const momentum_step& step, const step_buffers& buffers) {
  for_chunks(n, [&](size_t begin, size_t end) {
    const momentum_step s = step;
    const step_buffers b = buffers;
#pragma omp simd
    for (size_t i = begin; i < end; ++i) {
      const float g = b.gradient[i] * s.scale + s.weight_decay * b.parameters[i];
      const float v = s.momentum * b.first[i] + g;
      b.first[i] = v;
      b.next[i] = b.parameters[i] - s.learning_rate * (Nesterov ? g + s.momentum * v : v);
    }
  });
}

template <bool Momentum>
void rmsprop_chunks(size_t n, const rmsprop_step& step, const step_buffers& buffers) {
  for_chunks(n, [&](size_t begin, size_t end) {
    const rmsprop_step s = step;
    const step_buffers b = buffers;
#pragma omp simd
    for (size_t i = begin; i < end; ++i) {
      const float g = b.gradient[i] * s.scale + s.weight_decay * b.parameters[i];
      const float square = s.alpha * b.first[i] + s.one_minus_alpha * (g * g);
      b.first[i] = square;
      float direction = g / (std::sqrt(square) + s.epsilon);
      if constexpr (Momentum) {
        direction += s.momentum * b.second[i];
        b.second[i] = direction;
      }
      b.next[i] = b.parameters[i] - s.learning_rate * direction;
    }
  });
}

} // namespace

void momentum(size_t n, const momentum_step& step, const step_buffers& buffers) {
  if (step.nesterov)
    momentum_chunks<true>(n, step, buffers);
  else
    momentum_chunks<false>(n, step, buffers);
}

void adam(size_t n, const adam_step& step, const step_buffers& buffers) {
  for_chunks(n, [&](size_t begin, size_t end) {
    const adam_step s = step;
    const step_buffers b = buffers;
    const float inverse_root = 1 / s.root_correction;
#pragma omp simd
    for (size_t i = begin; i < end; ++i) {
      const float g = b.gradient[i] * s.scale + s.weight_decay * b.parameters[i];
      const float mean = s.beta1 * b.first[i] + s.one_minus_beta1 * g;
      const float square = s.beta2 * b.second[i] + s.one_minus_beta2 * (g * g);
      b.first[i] = mean;
      b.second[i] = square;
      b.next[i] = s.decay * b.parameters[i] - s.step_size * (mean / (std::sqrt(square) * inverse_root + s.epsilon));
    }
  });
}

void rmsprop(size_t n, const rmsprop_step& step, const step_buffers& buffers) {
  if (step.momentum > 0)
    rmsprop_chunks<true>(n, step, buffers);
  else
    rmsprop_chunks<false>(n, step, buffers);
}

void moving_average(size_t n, float momentum, const step_buffers& buffers) {
  for_chunks(n, [&](size_t begin, size_t end) {
    const step_buffers b = buffers;
    const float take = momentum;
    const float keep = 1 - momentum;
#pragma omp simd
    for (size_t i = begin; i < end; ++i)
      b.next[i] = keep * b.parameters[i] + take * b.gradient[i];
  });
}

} // namespace troupe::gpu::kernels
