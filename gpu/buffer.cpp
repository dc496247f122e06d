#include "gpu/buffer.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace troupe::gpu {

namespace {

std::byte* allocate(size_t bytes) {
  return static_cast<std::byte*>(::operator new (bytes, std::align_val_t{buffer::alignment}));
}

void deallocate(std::byte* data) noexcept {
  ::operator delete (data, std::align_val_t{buffer::alignment});
}

} // namespace

namespace detail {

/// Free memory by size class.
class buffer_shelves {
public:
  explicit buffer_shelves(size_t limit) : limit_(limit) {}
  buffer_shelves(const buffer_shelves&) = delete;
  buffer_shelves& operator=(const buffer_shelves&) = delete;
  ~buffer_shelves() {
    for (const auto& [size, shelf] : shelves_)
      for (auto* data : shelf)
        deallocate(data);
  }

  std::byte* take(size_t size) {
    {
      const std::lock_guard lock(mutex_);
      auto& shelf = shelves_[size];
      if (!shelf.empty()) {
        auto* data = shelf.back();
        shelf.pop_back();
        counts_.kept_bytes -= size;
        ++counts_.reused;
        return data;
      }
      ++counts_.allocated;
      shelf.reserve(++sizes_[size]); // so that giving back needs no memory
    }
    return allocate(size);
  }

  void give_back(size_t size, std::byte* data) noexcept {
    {
      const std::lock_guard lock(mutex_);
      if (counts_.kept_bytes + size <= limit_) {
        shelves_[size].push_back(data);
        counts_.kept_bytes += size;
        return;
      }
      ++counts_.refused;
      --sizes_[size];
    }
    deallocate(data);
  }

  buffer_pool::counts count() const {
    const std::lock_guard lock(mutex_);
    return counts_;
  }

private:
  mutable std::mutex mutex_;
  size_t limit_;
  std::map<size_t, std::vector<std::byte*>> shelves_;
  std::map<size_t, size_t> sizes_; ///< buffers of each class that exist, in use or free
  buffer_pool::counts counts_;
};

} // namespace detail

buffer::buffer(size_t bytes) : data_(allocate(bytes)), size_(bytes) {}

buffer::~buffer() {
  if (!data_)
    return;
  if (home_)
    home_->give_back(buffer_pool::size_class(size_), data_);
  else
    deallocate(data_);
}

void buffer::swap(buffer& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(home_, other.home_);
}

void release_after(stream& s, buffer b) {
  // The task owns the buffer; the lane destroys a task when it has run, or when the stream is poisoned.
  s.on_complete([owned = std::make_shared<buffer>(std::move(b))] {});
}

buffer_pool::buffer_pool(size_t limit) : shelves_(std::make_shared<detail::buffer_shelves>(limit)) {}

buffer buffer_pool::take(size_t bytes) {
  buffer b;
  b.data_ = shelves_->take(size_class(bytes));
  b.size_ = bytes;
  b.home_ = shelves_;
  return b;
}

buffer_pool::counts buffer_pool::count() const {
  return shelves_->count();
}

size_t buffer_pool::size_class(size_t bytes) {
  constexpr size_t smallest = 8 * buffer::alignment;
  if (bytes <= smallest)
    return smallest;
  const size_t grain = std::max<size_t>(std::bit_floor(bytes - 1) / 8, 1);
  return (bytes + grain - 1) / grain * grain;
}

} // namespace troupe::gpu
