#include "messages/memory.hpp"

#include <map>
#include <mutex>
#include <new>
#include <sys/mman.h>
#include <vector>

namespace troupe {
namespace {

constexpr size_t huge_page = 2u << 20;

// What spans huge pages starts on one and asks for them: a matrix product walks over its operands in strides, and
// misses of the translation cache cost it more than misses of the data cache.
std::align_val_t alignment_of(size_t bytes) {
  return std::align_val_t{bytes < huge_page ? tensor_alignment : huge_page};
}

std::byte* allocate(size_t bytes) {
  auto* p = ::operator new(bytes, alignment_of(bytes));
  if (bytes >= huge_page)
    ::madvise(p, bytes, MADV_HUGEPAGE); // a wish: where it is refused, usual pages serve
  return static_cast<std::byte*>(p);
}

void release(std::byte* p, size_t bytes) {
  ::operator delete(p, alignment_of(bytes));
}

// Free lists by exact rounded size: a job uses a handful of sizes, over and over.
class cache {
public:
  std::byte* take(size_t bytes) {
    {
      auto guard = std::lock_guard{mutex_};
      if (auto i = free_.find(bytes); i != free_.end() && !i->second.empty()) {
        auto* p = i->second.back();
        i->second.pop_back();
        cached_ -= bytes;
        return p;
      }
    }
    return allocate(bytes);
  }

  void give(std::byte* p, size_t bytes) {
    {
      auto guard = std::lock_guard{mutex_};
      if (cached_ + bytes <= memory_cache_limit) {
        free_[bytes].push_back(p);
        cached_ += bytes;
        return;
      }
    }
    release(p, bytes);
  }

  size_t cached() {
    auto guard = std::lock_guard{mutex_};
    return cached_;
  }

  void trim() {
    auto guard = std::lock_guard{mutex_};
    for (auto& [bytes, list] : free_)
      for (auto* p : list)
        release(p, bytes);
    free_.clear();
    cached_ = 0;
  }

private:
  std::mutex mutex_;
  std::map<size_t, std::vector<std::byte*>> free_;
  size_t cached_ = 0;
};

// Shared by all nodes of a process on purpose: it holds no state that one node could see of another. Never destroyed,
// as payloads may outlive static destruction.
cache& the_cache() {
  static auto* instance = new cache;
  return *instance;
}

size_t rounded(size_t bytes) {
  constexpr size_t page = 4096;
  auto unit = bytes < page ? tensor_alignment : page;
  return bytes == 0 ? unit : (bytes + unit - 1) / unit * unit;
}

} // namespace

std::shared_ptr<std::byte> acquire_memory(size_t bytes) {
  auto size = rounded(bytes);
  return {the_cache().take(size), [size](std::byte* p) { the_cache().give(p, size); }};
}

size_t cached_memory() {
  return the_cache().cached();
}

void trim_memory() {
  the_cache().trim();
}

} // namespace troupe
