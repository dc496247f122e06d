#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>

#include "messages/memory.hpp"

namespace troupe::learn {

/// A flat buffer in the layout of some model: `size` floats, 64-byte aligned, zero at first. Copies share the memory.
class flat {
public:
  flat() = default;
  explicit flat(size_t size) : memory_(acquire_memory(size * sizeof(float))), size_(size) {
    std::fill_n(data(), size, 0.f);
  }

  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] float* data() { return reinterpret_cast<float*>(memory_.get()); }
  [[nodiscard]] const float* data() const { return reinterpret_cast<const float*>(memory_.get()); }
  [[nodiscard]] std::span<float> values() { return {data(), size_}; }
  [[nodiscard]] std::span<const float> values() const { return {data(), size_}; }
  /// Keeps the memory alive.
  [[nodiscard]] std::shared_ptr<const void> owner() const { return memory_; }

private:
  std::shared_ptr<std::byte> memory_;
  size_t size_ = 0;
};

} // namespace troupe::learn
