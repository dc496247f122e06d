#pragma once

#include <cstdint>

#include "gpu/dnn/lanes.hpp"
#include "gpu/dnn/primitives.hpp"

namespace troupe::gpu::dnn {

/// Loads and stores of one group: all its lanes, or those that an incomplete one has.
struct group_access {
  int64_t count;
  template <class T>
  [[gnu::always_inline]] lanes get(const T* from) const {
    return count == lane_count ? load(from) : load_some(from, count);
  }
  template <class T>
  [[gnu::always_inline]] void put(T* to, lanes x) const {
    if (count == lane_count)
      store(to, x);
    else
      store_some(to, x, count);
  }
};

/// How the channels of an activation lie in memory, for nChw16c and nhwc alike, in groups of 16; strides in elements.
/// In nhwc the last group may be incomplete; in nChw16c it is padded with zeros, which all kernels keep.
struct channel_groups {
  int64_t samples = 0;
  int64_t channels = 0;
  int64_t groups = 0;
  int64_t pixels = 0;
  int64_t sample_stride = 0;
  int64_t group_stride = 0;
  int64_t pixel_stride = 0;
  int64_t last_lanes = 16; ///< channels stored in the last group

  /// `d`: (n, c, h, w) in one of the two layouts.
  static channel_groups of(const desc& d);
  [[nodiscard]] group_access access(int64_t group) const { return {group + 1 == groups ? last_lanes : lane_count}; }
  /// Groups of 16 lanes in the tensor, each with a mask of one bit per lane.
  [[nodiscard]] size_t masks() const { return static_cast<size_t>(samples * groups * pixels); }
};

} // namespace troupe::gpu::dnn
