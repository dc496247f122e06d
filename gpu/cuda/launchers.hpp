#pragma once

#include <cstddef>
#include <cstdint>
#include <cuda_runtime_api.h>

#include "gpu/cuda/results.hpp"
#include "gpu/kernels/bf16.hpp"
#include "gpu/kernels/loss.hpp"
#include "gpu/kernels/optimizer_steps.hpp"

/// Launches of the kernels in the .cu files beside this one: plain arguments, so that nvcc reads little.
/// gpu/cuda/device_kernels.hpp says what each computes.
namespace troupe::gpu::cuda {

/// Where a kernel runs.
struct place {
  cudaStream_t stream = nullptr;
  unsigned multiprocessors = 1;
};

namespace launch {

/// What an optimiser step reads and writes. Either gradient is null.
struct flat_buffers {
  kernels::step_buffers f32;
  const kernels::bf16* gradient = nullptr;
  kernels::bf16* rounded = nullptr; ///< null without the gradient above
};

cudaError_t sgd(const place& on, size_t n, const kernels::sgd_step& step, const flat_buffers& buffers);
cudaError_t momentum(const place& on, size_t n, const kernels::momentum_step& step, const flat_buffers& buffers);
cudaError_t adam(const place& on, size_t n, const kernels::adam_step& step, const flat_buffers& buffers);
cudaError_t rmsprop(const place& on, size_t n, const kernels::rmsprop_step& step, const flat_buffers& buffers);

cudaError_t to_bf16(const place& on, size_t n, const float* x, kernels::bf16* y);
cudaError_t from_bf16(const place& on, size_t n, const kernels::bf16* x, float* y);

cudaError_t total(const place& on, size_t n, const float* x, double* scratch, device_kernels::reduced* result);
cudaError_t sum_of_squares(const place& on, size_t n, const float* x, double* scratch, device_kernels::reduced* result);

cudaError_t softmax_cross_entropy(const place& on, const kernels::cross_entropy_input& in, float scale, float* gradient,
                                  double* rows, device_kernels::batch_loss* result);

} // namespace launch
} // namespace troupe::gpu::cuda
