#pragma once

#include <cstddef>

namespace troupe::gpu::kernels {

// Forward: y[i] = f(x[i]); y may be x. Backward: dx[i] = dy[i] * f'; dx may be dy. Definitions of torch.nn; NaN passes.

void relu(size_t n, const float* x, float* y);
/// From the output (or the input, which has the same sign).
void relu_backward(size_t n, const float* y, const float* dy, float* dx);

/// From the input `x` of the forward pass, as is the backward of `gelu_tanh`.
/// x * Phi(x). D. Hendrycks, K. Gimpel: "Gaussian error linear units", 2016.
void gelu(size_t n, const float* x, float* y);
void gelu_backward(size_t n, const float* x, const float* dy, float* dx);

/// The approximation x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x³))).
void gelu_tanh(size_t n, const float* x, float* y);
void gelu_tanh_backward(size_t n, const float* x, const float* dy, float* dx);

void tanh(size_t n, const float* x, float* y);
/// From the output: dx = dy * (1 - y²).
void tanh_backward(size_t n, const float* y, const float* dy, float* dx);

} // namespace troupe::gpu::kernels
