#pragma once

#include "gpu/dnn/primitives.hpp"

namespace troupe::gpu::dnn {

/// Takes every `stride`-th row and column of each channel; channel c becomes channel c + `first`, all others zeros.
/// `from` and `to`: (n, c, h, w), both nChw16c or both nhwc, both f32 or both bf16.
void subsample(const memory& from, const memory& to, int stride, int first);

/// The gradient: `to` is described like `subsample`'s `from`, and `from` like its `to`.
void spread_back(const memory& from, const memory& to, int stride, int first);

} // namespace troupe::gpu::dnn
