#pragma once

#include <cstddef>
#include <cstdint>

/// What kernels of a device write for the host to read.
namespace troupe::gpu::device_kernels {

/// What a reduction writes.
struct reduced {
  double value = 0;
  uint64_t finite = 0; ///< 1: no value is infinite or NaN
};

/// Memory that a reduction needs while it runs, in doubles.
inline constexpr size_t reduction_scratch = 1024;

/// What a batch of samples lost.
struct batch_loss {
  double loss_sum = 0;
  int64_t correct = 0;
  uint64_t finite = 0; ///< 0: a logit is infinite or NaN, or a label none: the gradient must not be used (I11)
};

} // namespace troupe::gpu::device_kernels
