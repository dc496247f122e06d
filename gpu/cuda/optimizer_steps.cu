// The steps of gpu/kernels/optimizer_steps.cpp on a device: one launch and one pass over memory each.

#include "gpu/cuda/flat.cuh"

namespace troupe::gpu::cuda::launch {
namespace {

using kernels::bf16;

struct values {
  float parameter, first, second;
};

/// `g`: the scaled gradient with its weight decay. Each rule returns the next parameter, and updates the states it has.
struct sgd_rule {
  static constexpr int states = 0;
  kernels::sgd_step s;
  __device__ float operator()(float g, values& v) const { return v.parameter - s.learning_rate * g; }
};

template <bool Nesterov>
struct momentum_rule {
  static constexpr int states = 1;
  kernels::momentum_step s;
  __device__ float operator()(float g, values& v) const {
    v.first = s.momentum * v.first + g;
    return v.parameter - s.learning_rate * (Nesterov ? g + s.momentum * v.first : v.first);
  }
};

struct adam_rule {
  static constexpr int states = 2;
  kernels::adam_step s;
  float inverse_root;
  __device__ float operator()(float g, values& v) const {
    v.first = s.beta1 * v.first + s.one_minus_beta1 * g;
    v.second = s.beta2 * v.second + s.one_minus_beta2 * (g * g);
    return s.decay * v.parameter - s.step_size * (v.first / (sqrtf(v.second) * inverse_root + s.epsilon));
  }
};

template <bool Momentum>
struct rmsprop_rule {
  static constexpr int states = Momentum ? 2 : 1;
  kernels::rmsprop_step s;
  __device__ float operator()(float g, values& v) const {
    v.first = s.alpha * v.first + s.one_minus_alpha * (g * g);
    float direction = g / (sqrtf(v.first) + s.epsilon);
    if constexpr (Momentum) {
      direction += s.momentum * v.second;
      v.second = direction;
    }
    return v.parameter - s.learning_rate * direction;
  }
};

template <class Rule, class Gradient>
struct buffers {
  const Gradient* gradient;
  const float* parameters;
  float* next;
  float* first;
  float* second;
  bf16* rounded;
};

template <class Rule, class Gradient>
__device__ float next_of(const Rule& rule, Gradient gradient, values& v) {
  return rule(widened(gradient) * rule.s.scale + rule.s.weight_decay * v.parameter, v);
}

template <class Rule, class Gradient, bool Wide>
__global__ void __launch_bounds__(threads_per_block) step(size_t n, Rule rule, buffers<Rule, Gradient> b) {
  constexpr bool half = sizeof(Gradient) == sizeof(bf16);
  const size_t thread = size_t{blockIdx.x} * threads_per_block + threadIdx.x;
  const size_t stride = size_t{gridDim.x} * threads_per_block;
  const size_t groups = n / quad;
  for (size_t group = thread; group < groups; group += stride) {
    const auto gradient = load<Wide>(b.gradient, group);
    const auto parameters = load<Wide>(b.parameters, group);
    four<float> first = {};
    four<float> second = {};
    if constexpr (Rule::states >= 1)
      first = load<Wide>(b.first, group);
    if constexpr (Rule::states >= 2)
      second = load<Wide>(b.second, group);
    four<float> next;
    four<bf16> small;
#pragma unroll
    for (size_t i = 0; i < quad; ++i) {
      values v{parameters.at[i], first.at[i], second.at[i]};
      next.at[i] = next_of(rule, gradient.at[i], v);
      first.at[i] = v.first;
      second.at[i] = v.second;
      small.at[i] = rounded(next.at[i]);
    }
    if constexpr (Rule::states >= 1)
      store<Wide>(b.first, group, first);
    if constexpr (Rule::states >= 2)
      store<Wide>(b.second, group, second);
    store<Wide>(b.next, group, next);
    if constexpr (half)
      store<Wide>(b.rounded, group, small);
  }
  for (size_t i = groups * quad + thread; i < n; i += stride) {
    values v{b.parameters[i], Rule::states >= 1 ? b.first[i] : 0, Rule::states >= 2 ? b.second[i] : 0};
    const float next = next_of(rule, b.gradient[i], v);
    if constexpr (Rule::states >= 1)
      b.first[i] = v.first;
    if constexpr (Rule::states >= 2)
      b.second[i] = v.second;
    b.next[i] = next;
    if constexpr (half)
      b.rounded[i] = rounded(next);
  }
}

template <class Gradient, class Rule>
cudaError_t run(const place& on, size_t n, const Rule& rule, const buffers<Rule, Gradient>& b) {
  if (n == 0)
    return cudaSuccess;
  const bool wide = is_wide(b.gradient) && is_wide(b.parameters) && is_wide(b.next) && is_wide(b.first) &&
                    is_wide(b.second) && is_wide(b.rounded);
  const auto blocks = blocks_for(on, n);
  if (wide)
    step<Rule, Gradient, true><<<blocks, threads_per_block, 0, on.stream>>>(n, rule, b);
  else
    step<Rule, Gradient, false><<<blocks, threads_per_block, 0, on.stream>>>(n, rule, b);
  return cudaGetLastError();
}

template <class Rule>
cudaError_t run(const place& on, size_t n, const Rule& rule, const flat_buffers& b) {
  const auto& f = b.f32;
  if (b.gradient)
    return run<bf16>(on, n, rule, {b.gradient, f.parameters, f.next, f.first, f.second, b.rounded});
  return run<float>(on, n, rule, {f.gradient, f.parameters, f.next, f.first, f.second, nullptr});
}

} // namespace

cudaError_t sgd(const place& on, size_t n, const kernels::sgd_step& step, const flat_buffers& buffers) {
  return run(on, n, sgd_rule{step}, buffers);
}

cudaError_t momentum(const place& on, size_t n, const kernels::momentum_step& step, const flat_buffers& buffers) {
  return step.nesterov ? run(on, n, momentum_rule<true>{step}, buffers)
                       : run(on, n, momentum_rule<false>{step}, buffers);
}

cudaError_t adam(const place& on, size_t n, const kernels::adam_step& step, const flat_buffers& buffers) {
  return run(on, n, adam_rule{step, 1 / step.root_correction}, buffers);
}

cudaError_t rmsprop(const place& on, size_t n, const kernels::rmsprop_step& step, const flat_buffers& buffers) {
  return step.momentum > 0 ? run(on, n, rmsprop_rule<true>{step}, buffers)
                           : run(on, n, rmsprop_rule<false>{step}, buffers);
}

} // namespace troupe::gpu::cuda::launch
