#pragma once

#include "gpu/cuda/flat.cuh"

/// Reductions whose order is fixed: the same bits on every run and every device.
namespace troupe::gpu::cuda {

inline constexpr unsigned warp = 32;

struct plus {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};

/// Combines a value of each of `Lanes` neighbouring threads, a warp or a whole block; all of them get the result. `op`
/// is symmetric.
template <unsigned Lanes, class T, class Op>
__device__ T combine(T value, Op op) {
  static_assert(Lanes == warp || Lanes == threads_per_block);
#pragma unroll
  for (unsigned distance = warp / 2; distance > 0; distance /= 2)
    value = op(value, __shfl_xor_sync(0xffffffff, value, distance));
  if constexpr (Lanes == warp) {
    __syncwarp();
    return value;
  } else {
    constexpr unsigned warps = threads_per_block / warp;
    __shared__ T of_warps[warps];
    __syncthreads(); // whoever reads the result of the call before is done
    if (threadIdx.x % warp == 0)
      of_warps[threadIdx.x / warp] = value;
    __syncthreads();
    value = of_warps[0];
#pragma unroll
    for (unsigned i = 1; i < warps; ++i)
      value = op(value, of_warps[i]);
    return value;
  }
}

} // namespace troupe::gpu::cuda
