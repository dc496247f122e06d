#pragma once

#include <cstddef>
#include <cstdint>

#include "gpu/cuda/results.hpp"
#include "gpu/driver.hpp"
#include "gpu/kernels/bf16.hpp"
#include "gpu/kernels/loss.hpp"
#include "gpu/kernels/optimizer_steps.hpp"

/// Kernels for devices, as calls to hand to `device_stream::launch`. All memory is the device's, and belongs to the
/// caller until the call is done. Results are those of gpu/kernels up to rounding: sums are added up in another order,
/// which depends on the size of the data alone.
namespace troupe::gpu::device_kernels {

// -- optimiser steps: one launch each --------------------------------------------------------------

kernel_call sgd(size_t n, const kernels::sgd_step& step, const kernels::step_buffers& buffers);
kernel_call momentum(size_t n, const kernels::momentum_step& step, const kernels::step_buffers& buffers);
/// And adamw: see `kernels::adam_step`.
kernel_call adam(size_t n, const kernels::adam_step& step, const kernels::step_buffers& buffers);
kernel_call rmsprop(size_t n, const kernels::rmsprop_step& step, const kernels::step_buffers& buffers);

/// For layers that compute in bf16: the gradient comes as bf16, parameters and state stay f32, and the new parameters
/// are written rounded as well.
struct mixed_buffers {
  const kernels::bf16* gradient = nullptr;
  kernels::bf16* rounded = nullptr;
  kernels::step_buffers master; ///< its gradient is not used
};
kernel_call sgd(size_t n, const kernels::sgd_step& step, const mixed_buffers& buffers);
kernel_call momentum(size_t n, const kernels::momentum_step& step, const mixed_buffers& buffers);
kernel_call adam(size_t n, const kernels::adam_step& step, const mixed_buffers& buffers);
kernel_call rmsprop(size_t n, const kernels::rmsprop_step& step, const mixed_buffers& buffers);

// -- casts ----------------------------------------------------------------------------------------

/// The same bits as `kernels::to_bf16`.
kernel_call to_bf16(size_t n, const float* x, kernels::bf16* y);
kernel_call from_bf16(size_t n, const kernels::bf16* x, float* y);

// -- reductions -----------------------------------------------------------------------------------

/// The sum of x[i], or of x[i]², in double. `scratch`: `reduction_scratch` doubles.
kernel_call total(size_t n, const float* x, double* scratch, reduced* result);
kernel_call sum_of_squares(size_t n, const float* x, double* scratch, reduced* result);

// -- loss -----------------------------------------------------------------------------------------

/// Softmax cross-entropy and its gradient (null: the loss alone), as `kernels::softmax_cross_entropy`. `rows`: scratch,
/// 2 * in.n doubles.
kernel_call softmax_cross_entropy(const kernels::cross_entropy_input& in, float scale, float* gradient, double* rows,
                                  batch_loss* result);

// -- matrices -------------------------------------------------------------------------------------

enum class epilogue : uint8_t { none, bias, bias_relu, bias_gelu }; ///< gelu: `kernels::gelu_tanh`

/// f32: with f32's own multiplications. tf32: the factors are rounded to 10 bits of mantissa, f32 otherwise. bf16:
/// matrices and bias are bf16, sums f32.
enum class matmul_precision : uint8_t { f32, tf32, bf16 };

/// y = epilogue(x wᵀ + bias): x (rows, inner), w (columns, inner), y (rows, columns), all row-major; bias (columns).
struct matmul_input {
  size_t rows = 0;
  size_t columns = 0;
  size_t inner = 0;
  const void* x = nullptr;
  const void* w = nullptr;
  const void* bias = nullptr; ///< null with epilogue::none
  void* y = nullptr;
  epilogue after = epilogue::none;
  matmul_precision precision = matmul_precision::f32;
};
kernel_call matmul(const matmul_input& in);

} // namespace troupe::gpu::device_kernels
