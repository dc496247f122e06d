#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "gpu/cuda/launchers.hpp"

/// Kernels over flat buffers: threads take four elements at a time, in one access where all addresses allow it.
namespace troupe::gpu::cuda {

inline constexpr unsigned threads_per_block = 256;
inline constexpr size_t quad = 4; ///< elements that a thread takes at a time

template <class T>
struct alignas(quad * sizeof(T)) four {
  T at[quad];
};

/// Element by element where `Wide` is false: slices of a flat buffer may begin anywhere.
template <bool Wide, class T>
__device__ four<T> load(const T* from, size_t group) {
  if constexpr (Wide) {
    return reinterpret_cast<const four<T>*>(from)[group];
  } else {
    four<T> values;
#pragma unroll
    for (size_t i = 0; i < quad; ++i)
      values.at[i] = from[group * quad + i];
    return values;
  }
}

template <bool Wide, class T>
__device__ void store(T* to, size_t group, const four<T>& values) {
  if constexpr (Wide) {
    reinterpret_cast<four<T>*>(to)[group] = values;
  } else {
#pragma unroll
    for (size_t i = 0; i < quad; ++i)
      to[group * quad + i] = values.at[i];
  }
}

/// Whether `load<true>` may read from there. Null is never read.
template <class T>
bool is_wide(const T* data) {
  return reinterpret_cast<uintptr_t>(data) % sizeof(four<T>) == 0;
}

/// The bits of kernels::to_bf16.
inline __device__ kernels::bf16 rounded(float x) {
  const uint32_t bits = __float_as_uint(x);
  const uint32_t nearest = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const uint32_t quiet = (bits >> 16) | 0x40;
  return static_cast<kernels::bf16>((bits & 0x7fffffff) > 0x7f800000 ? quiet : nearest);
}

inline __device__ float widened(kernels::bf16 x) {
  return __uint_as_float(static_cast<uint32_t>(x) << 16);
}
inline __device__ float widened(float x) {
  return x;
}

/// Blocks for n elements: enough to fill the device, which go over the rest in strides.
inline unsigned blocks_for(const place& on, size_t n) {
  constexpr size_t per_block = threads_per_block * quad;
  const size_t most = size_t{on.multiprocessors} * 8; // of 256 threads, what a multiprocessor holds
  return static_cast<unsigned>(std::clamp<size_t>((n + per_block - 1) / per_block, 1, most));
}

} // namespace troupe::gpu::cuda
