#include "gpu/dnn/max_pool.hpp"

#include <algorithm>
#include <cassert>
#include <limits>

#include "gpu/dnn/channel_groups.hpp"
#include "gpu/dnn/lanes.hpp"
#include "gpu/kernels/chunks.hpp"

namespace troupe::gpu::dnn {

namespace {

constexpr uint8_t nobody = 255; // the ReLU cut the maximum off

struct image {
  channel_groups groups;
  int64_t height;
  int64_t width;
  explicit image(const desc& d) : groups(channel_groups::of(d)), height(dims_of(d)[2]), width(dims_of(d)[3]) {}
  [[nodiscard]] int64_t at(int64_t n, int64_t g) const { return n * groups.sample_stride + g * groups.group_stride; }
  [[nodiscard]] int64_t at(int64_t n, int64_t g, int64_t y, int64_t x) const {
    return at(n, g) + (y * width + x) * groups.pixel_stride;
  }
};

/// The part of a window that lies inside the image.
struct clipped {
  int64_t first;
  int64_t last;
  clipped(int64_t begin, int64_t kernel, int64_t size)
    : first(std::max<int64_t>(0, -begin)), last(std::min(kernel, size - begin)) {}
};

template <class T>
void forward_of(const max_pool& p, const memory& from, const memory& to, uint8_t* taken) {
  const image x(from.get_desc());
  const image y(to.get_desc());
  const auto* source = static_cast<const T*>(from.get_data_handle());
  auto* result = static_cast<T*>(to.get_data_handle());
#pragma omp parallel for schedule(static) if (kernels::use_team)
  for (int64_t n = 0; n < y.groups.samples; ++n)
    for (int64_t g = 0; g < y.groups.groups; ++g) {
      const group_access read = x.groups.access(g);
      const group_access write = y.groups.access(g);
      uint8_t* chosen = taken + (taken ? (n * y.groups.groups + g) * y.groups.pixels * lane_count : 0);
      for (int64_t row = 0; row < y.height; ++row)
        for (int64_t column = 0; column < y.width; ++column) {
          const int64_t top = row * p.stride - p.padding;
          const int64_t left = column * p.stride - p.padding;
          const clipped rows(top, p.kernel, x.height);
          const clipped columns(left, p.kernel, x.width);
          lanes most = spread(-std::numeric_limits<float>::infinity());
          lane_words which = {};
          for (int64_t dy = rows.first; dy < rows.last; ++dy)
            for (int64_t dx = columns.first; dx < columns.last; ++dx) {
              const lanes value = read.get(source + x.at(n, g, top + dy, left + dx));
              const auto larger = value > most;
              most = larger ? value : most;
              which = larger ? lane_words{} + static_cast<uint32_t>(dy * p.kernel + dx) : which;
            }
          if (p.relu) {
            which = most > 0 ? which : lane_words{} + nobody;
            most = positive_part(most);
          }
          write.put(result + y.at(n, g, row, column), most);
          if (taken)
            store(chosen + (row * y.width + column) * lane_count, which);
        }
    }
}

template <class T>
void backward_of(const max_pool& p, const memory& from, const uint8_t* taken, const memory& to) {
  const image y(from.get_desc());
  const image x(to.get_desc());
  const auto* gradient = static_cast<const T*>(from.get_data_handle());
  auto* result = static_cast<T*>(to.get_data_handle());
  const bool covers = p.kernel == p.stride && p.padding == 0 && x.height % p.stride == 0 && x.width % p.stride == 0;
#pragma omp parallel for schedule(static) if (kernels::use_team)
  for (int64_t n = 0; n < y.groups.samples; ++n)
    for (int64_t g = 0; g < y.groups.groups; ++g) {
      const group_access read = y.groups.access(g);
      const group_access write = x.groups.access(g);
      const uint8_t* chosen = taken + (n * y.groups.groups + g) * y.groups.pixels * lane_count;
      if (!covers)
        for (int64_t i = 0; i < x.groups.pixels; ++i)
          write.put(result + x.at(n, g) + i * x.groups.pixel_stride, lanes{});
      for (int64_t row = 0; row < y.height; ++row)
        for (int64_t column = 0; column < y.width; ++column) {
          const int64_t top = row * p.stride - p.padding;
          const int64_t left = column * p.stride - p.padding;
          const clipped rows(top, p.kernel, x.height);
          const clipped columns(left, p.kernel, x.width);
          const lane_words which = load_words(chosen + (row * y.width + column) * lane_count);
          const lanes dy_here = read.get(gradient + y.at(n, g, row, column));
          for (int64_t dy = rows.first; dy < rows.last; ++dy)
            for (int64_t dx = columns.first; dx < columns.last; ++dx) {
              const auto mine = which == lane_words{} + static_cast<uint32_t>(dy * p.kernel + dx);
              const lanes share = mine ? dy_here : lanes{};
              T* at = result + x.at(n, g, top + dy, left + dx);
              write.put(at, covers ? share : share + write.get(at));
            }
        }
    }
}

} // namespace

size_t taken_bytes(const desc& y) {
  return channel_groups::of(y).masks() * lane_count;
}

void max_pool::forward(const memory& x, const memory& y, uint8_t* taken) const {
  assert(kernel * kernel <= nobody);
  if (type_of(y.get_desc()) == data_type::bf16)
    forward_of<bf16>(*this, x, y, taken);
  else
    forward_of<float>(*this, x, y, taken);
}

void max_pool::backward(const memory& dy, const uint8_t* taken, const memory& dx) const {
  if (type_of(dx.get_desc()) == data_type::bf16)
    backward_of<bf16>(*this, dy, taken, dx);
  else
    backward_of<float>(*this, dy, taken, dx);
}

} // namespace troupe::gpu::dnn
