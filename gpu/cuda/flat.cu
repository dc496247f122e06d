// Casts and reductions of flat buffers.

#include "gpu/cuda/reduce.cuh"

namespace troupe::gpu::cuda::launch {
namespace {

using device_kernels::reduced;
using kernels::bf16;

// -- casts ----------------------------------------------------------------------------------------

// [kernel]
/// y[i] = f(x[i])
template <bool Wide, class X, class Y, class F>
__global__ void __launch_bounds__(threads_per_block) map(size_t n, const X* x, Y* y, F f) {
  const size_t thread = size_t{blockIdx.x} * threads_per_block + threadIdx.x;
  const size_t stride = size_t{gridDim.x} * threads_per_block;
  const size_t groups = n / quad;
  for (size_t group = thread; group < groups; group += stride) {
    const auto in = load<Wide>(x, group);
    four<Y> out;
#pragma unroll
    for (size_t i = 0; i < quad; ++i)
      out.at[i] = f(in.at[i]);
    store<Wide>(y, group, out);
  }
  for (size_t i = groups * quad + thread; i < n; i += stride)
    y[i] = f(x[i]);
}

template <class X, class Y, class F>
cudaError_t run_map(const place& on, size_t n, const X* x, Y* y, F f) {
  if (n == 0)
    return cudaSuccess;
  if (is_wide(x) && is_wide(y))
    map<true><<<blocks_for(on, n), threads_per_block, 0, on.stream>>>(n, x, y, f);
  else
    map<false><<<blocks_for(on, n), threads_per_block, 0, on.stream>>>(n, x, y, f);
  return cudaGetLastError();
}

struct round_to_bf16 {
  __device__ bf16 operator()(float x) const { return rounded(x); }
};
// [/kernel]

struct widen {
  __device__ float operator()(bf16 x) const { return widened(x); }
};

// -- reductions -----------------------------------------------------------------------------------

struct itself {
  __device__ double operator()(float x) const { return static_cast<double>(x); }
};

struct squared {
  __device__ double operator()(float x) const { return static_cast<double>(x) * static_cast<double>(x); }
};

/// As many blocks on every device, so that the order of the sum is a function of n alone. Which access reads an element
/// does not change who adds it.
unsigned sum_blocks(size_t n) {
  constexpr size_t per_block = threads_per_block * quad * 4;
  return static_cast<unsigned>(
    std::clamp<size_t>((n + per_block - 1) / per_block, 1, device_kernels::reduction_scratch));
}

template <bool Wide, class F>
__global__ void __launch_bounds__(threads_per_block) sum_parts(size_t n, const float* x, double* parts, F f) {
  const size_t thread = size_t{blockIdx.x} * threads_per_block + threadIdx.x;
  const size_t stride = size_t{gridDim.x} * threads_per_block;
  const size_t groups = n / quad;
  double sum = 0;
  for (size_t group = thread; group < groups; group += stride) {
    const auto in = load<Wide>(x, group);
#pragma unroll
    for (size_t i = 0; i < quad; ++i)
      sum += f(in.at[i]);
  }
  for (size_t i = groups * quad + thread; i < n; i += stride)
    sum += f(x[i]);
  sum = combine<threads_per_block>(sum, plus{});
  if (threadIdx.x == 0)
    parts[blockIdx.x] = sum;
}

/// One block. A value that is not finite makes the sum so: no sum of squares of floats overflows a double.
__global__ void __launch_bounds__(threads_per_block) add_parts(unsigned count, const double* parts, reduced* result) {
  double sum = 0;
  for (unsigned i = threadIdx.x; i < count; i += threads_per_block)
    sum += parts[i];
  sum = combine<threads_per_block>(sum, plus{});
  if (threadIdx.x == 0)
    *result = {sum, isfinite(sum) ? uint64_t{1} : uint64_t{0}};
}

template <class F>
cudaError_t run_sum(const place& on, size_t n, const float* x, double* scratch, reduced* result, F f) {
  const auto blocks = sum_blocks(n);
  if (is_wide(x))
    sum_parts<true><<<blocks, threads_per_block, 0, on.stream>>>(n, x, scratch, f);
  else
    sum_parts<false><<<blocks, threads_per_block, 0, on.stream>>>(n, x, scratch, f);
  if (const auto status = cudaGetLastError(); status != cudaSuccess)
    return status;
  add_parts<<<1, threads_per_block, 0, on.stream>>>(blocks, scratch, result);
  return cudaGetLastError();
}

} // namespace

// [launch]
cudaError_t to_bf16(const place& on, size_t n, const float* x, bf16* y) {
  return run_map(on, n, x, y, round_to_bf16{});
}
// [/launch]

cudaError_t from_bf16(const place& on, size_t n, const bf16* x, float* y) {
  return run_map(on, n, x, y, widen{});
}

cudaError_t total(const place& on, size_t n, const float* x, double* scratch, reduced* result) {
  return run_sum(on, n, x, scratch, result, itself{});
}

cudaError_t sum_of_squares(const place& on, size_t n, const float* x, double* scratch, reduced* result) {
  return run_sum(on, n, x, scratch, result, squared{});
}

} // namespace troupe::gpu::cuda::launch
