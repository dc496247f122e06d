#include "gpu/dnn/channel_groups.hpp"

#include <cassert>

namespace troupe::gpu::dnn {

channel_groups channel_groups::of(const desc& d) {
  const auto size = dims_of(d);
  const auto type = type_of(d);
  const bool blocked = d == desc(size, type, tag::nChw16c);
  assert(blocked || d == desc(size, type, tag::nhwc));
  channel_groups c;
  c.samples = size[0];
  c.channels = size[1];
  c.groups = (size[1] + lane_count - 1) / lane_count;
  c.pixels = size[2] * size[3];
  c.sample_stride = c.pixels * (blocked ? c.groups * lane_count : c.channels);
  c.group_stride = blocked ? c.pixels * lane_count : lane_count;
  c.pixel_stride = blocked ? lane_count : c.channels;
  c.last_lanes = blocked || c.channels % lane_count == 0 ? lane_count : c.channels % lane_count;
  return c;
}

} // namespace troupe::gpu::dnn
