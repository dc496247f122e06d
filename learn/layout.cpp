#include "learn/layout.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

namespace troupe::learn {

namespace {

constexpr size_t line = 16; // floats of a 64-byte line

constexpr size_t round_up(size_t floats) {
  return (floats + line - 1) / line * line;
}

size_t product(const std::vector<int64_t>& dims) {
  return static_cast<size_t>(std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>{}));
}

} // namespace

layout::layout(std::vector<slice> slices, size_t block_bytes) : slices_(std::move(slices)) {
  std::stable_partition(slices_.begin(), slices_.end(), [](const slice& s) { return s.kind == slice_kind::trainable; });
  const size_t target = block_bytes / sizeof(float);
  for (size_t i = 0; i < slices_.size(); ++i) {
    auto& s = slices_[i];
    s.size = product(s.dims);
    s.offset = size_;
    const size_t padded = round_up(s.size);
    const bool fits = !blocks_.empty() && blocks_.back().kind == s.kind && blocks_.back().size + padded <= target;
    if (!fits)
      blocks_.push_back({.offset = size_, .size = 0, .kind = s.kind, .first = i, .last = i});
    blocks_.back().size += padded;
    blocks_.back().last = i + 1;
    size_ += padded;
  }
}

size_t layout::parameters() const {
  size_t sum = 0;
  for (const auto& s : slices_)
    if (s.kind == slice_kind::trainable)
      sum += s.size;
  return sum;
}

const slice* layout::find(std::string_view name) const {
  const auto found = std::find_if(slices_.begin(), slices_.end(), [&](const slice& s) { return s.name == name; });
  return found == slices_.end() ? nullptr : &*found;
}

size_t layout::block_of(size_t index) const {
  const auto found =
    std::partition_point(blocks_.begin(), blocks_.end(), [&](const block& b) { return b.last <= index; });
  return static_cast<size_t>(found - blocks_.begin());
}

} // namespace troupe::learn
