#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "gpu/stream.hpp"

namespace troupe::gpu {

namespace detail {
class buffer_shelves;
}

/// Owner of host memory: 64-byte aligned, contents undefined at first. Move-only; gives the memory back to the pool it
/// came from, or to the system. Tasks that use it must be done before it goes: see `release_after`.
class buffer {
public:
  static constexpr size_t alignment = 64;

  buffer() = default;
  /// From the system. Throws std::bad_alloc.
  explicit buffer(size_t bytes);
  buffer(buffer&& other) noexcept { swap(other); }
  buffer& operator=(buffer&& other) noexcept {
    buffer(std::move(other)).swap(*this);
    return *this;
  }
  ~buffer();

  [[nodiscard]] size_t size() const { return size_; } ///< in bytes, as asked for
  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::span<float> floats() const { return {reinterpret_cast<float*>(data_), size_ / sizeof(float)}; }

private:
  friend class buffer_pool;
  void swap(buffer& other) noexcept;

  std::byte* data_ = nullptr;
  size_t size_ = 0;
  std::shared_ptr<detail::buffer_shelves> home_; ///< null: the system
};

/// Gives `b` back once everything enqueued on `s` so far is done.
void release_after(stream& s, buffer b);

/// Keeps freed buffers for the next taker, so that a training step touches no fresh pages (they cost ten times a copy).
/// Thread-safe; a cheap shared handle. Buffers may outlive the pool.
class buffer_pool {
public:
  struct counts {
    uint64_t reused = 0;    ///< buffers taken from the pool
    uint64_t allocated = 0; ///< buffers taken from the system
    uint64_t refused = 0;   ///< buffers returned to the system because the pool was full
    size_t kept_bytes = 0;  ///< in the pool now
  };

  /// Keeps at most `limit` bytes of free buffers; what comes back beyond that goes to the system (R13).
  explicit buffer_pool(size_t limit);

  /// A buffer of at least `bytes`; contents undefined. Sizes are rounded up to a class (eight per doubling: at most an
  /// eighth is lost), and a buffer serves its own class only. Throws std::bad_alloc.
  [[nodiscard]] buffer take(size_t bytes);

  [[nodiscard]] counts count() const;

  /// The size of memory that a buffer of `bytes` gets.
  static size_t size_class(size_t bytes);

private:
  std::shared_ptr<detail::buffer_shelves> shelves_;
};

} // namespace troupe::gpu
