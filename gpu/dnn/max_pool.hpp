#pragma once

#include "gpu/dnn/primitives.hpp"

namespace troupe::gpu::dnn {

/// Maximum over a sliding window, optionally followed by a ReLU (which commutes with it, and costs nothing here).
/// Activations are nChw16c or nhwc, each its own, f32 or bf16 alike.
struct max_pool {
  int kernel = 2;
  int stride = 2;
  int padding = 0; ///< of minus infinity on each side
  bool relu = false;

  /// `taken`: one byte per element of `y`'s lanes (`taken_bytes`), which window element was the largest (the first, of
  /// equals), for `backward`; null where there is none. A window has at most 255 elements.
  void forward(const memory& x, const memory& y, uint8_t* taken) const;
  void backward(const memory& dy, const uint8_t* taken, const memory& dx) const;
};

/// Bytes of `taken` for a result `y`.
size_t taken_bytes(const desc& y);

} // namespace troupe::gpu::dnn
