#include "gpu/dnn/subsample.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "gpu/dnn/channel_groups.hpp"
#include "gpu/kernels/chunks.hpp"

namespace troupe::gpu::dnn {

namespace {

struct image {
  std::byte* data;
  channel_groups groups;
  int64_t width;
  int64_t height;
  int64_t element;

  explicit image(const memory& m)
    : data(static_cast<std::byte*>(m.get_data_handle())), groups(channel_groups::of(m.get_desc())),
      width(dims_of(m.get_desc())[3]), height(dims_of(m.get_desc())[2]),
      element(type_of(m.get_desc()) == data_type::bf16 ? 2 : 4) {}

  [[nodiscard]] std::byte* at(int64_t n, int64_t c, int64_t y, int64_t x) const {
    const auto& g = groups;
    return data + element * (n * g.sample_stride + c / 16 * g.group_stride + c % 16 + (y * width + x) * g.pixel_stride);
  }
  [[nodiscard]] size_t sample_bytes() const { return static_cast<size_t>(groups.sample_stride * element); }
};

/// Calls `copy(large, small, bytes)` for each run of channels that lies in one piece in both images.
template <class Copy>
void for_runs(const image& large, const image& small, int stride, int first, const Copy& copy, int64_t n) {
  // No run crosses a group of 16 channels on either side.
  const int64_t run = std::gcd(std::gcd(large.groups.channels, int64_t{first}), int64_t{16});
  for (int64_t c = 0; c < large.groups.channels; c += run)
    for (int64_t y = 0; y < small.height; ++y)
      for (int64_t x = 0; x < small.width; ++x)
        copy(large.at(n, c, y * stride, x * stride), small.at(n, c + first, y, x),
             static_cast<size_t>(run * large.element));
}

} // namespace

void subsample(const memory& from, const memory& to, int stride, int first) {
  const image large(from);
  const image small(to);
#pragma omp parallel for schedule(static) if (kernels::use_team)
  for (int64_t n = 0; n < large.groups.samples; ++n) {
    std::memset(small.at(n, 0, 0, 0), 0, small.sample_bytes());
    for_runs(
      large, small, stride, first, [](std::byte* l, std::byte* s, size_t bytes) { std::memcpy(s, l, bytes); }, n);
  }
}

void spread_back(const memory& from, const memory& to, int stride, int first) {
  const image large(to);
  const image small(from);
#pragma omp parallel for schedule(static) if (kernels::use_team)
  for (int64_t n = 0; n < large.groups.samples; ++n) {
    std::memset(large.at(n, 0, 0, 0), 0, large.sample_bytes());
    for_runs(
      large, small, stride, first, [](std::byte* l, std::byte* s, size_t bytes) { std::memcpy(l, s, bytes); }, n);
  }
}

} // namespace troupe::gpu::dnn
