#pragma once

#include <cstdint>

#include "learn/dataset.hpp"

namespace troupe::learn {

/// Where an augmented image is cut out of the original.
struct crop {
  int right = 0; ///< pixels that the window moves; negative: to the left
  int down = 0;
  bool mirrored = false; ///< left and right are exchanged, after the crop

  bool operator==(const crop&) const = default;
};

/// The crop of one sample in one epoch: uniform in ±padding on both axes, mirrored every second time if `how.flip`.
crop draw_crop(augmentation how, uint64_t seed, uint64_t epoch, uint32_t id);

/// `in` and `out`: (channels, height, width), not overlapping. What lies outside of the original is zero, which in a
/// normalised image is the mean colour.
void apply(crop window, sample_shape shape, const float* in, float* out);

} // namespace troupe::learn
