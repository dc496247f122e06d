#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "messages/failure.hpp"

namespace troupe {

/// Flags that a process and those it starts see alike; each is set once. They lie in memory without a name, which the
/// children inherit as an open file descriptor.
class shared_flags {
public:
  /// `count` flags that are not set.
  static expected<shared_flags> create(size_t count);
  /// The flags that a parent made, by its descriptor. One sentence where that is none, or has fewer than `count`.
  static expected<shared_flags> inherit(int descriptor, size_t count);

  [[nodiscard]] int descriptor() const { return *descriptor_; }
  /// The flag at a position below `count`; it stays valid on its own.
  [[nodiscard]] std::shared_ptr<std::atomic<bool>> at(size_t position) const;

private:
  using memory = std::shared_ptr<std::atomic<bool>>;
  shared_flags(std::shared_ptr<int> descriptor, memory first)
    : descriptor_(std::move(descriptor)), first_(std::move(first)) {}
  static expected<shared_flags> map(std::shared_ptr<int> descriptor, size_t count);

  std::shared_ptr<int> descriptor_; // closes it
  memory first_;
};

} // namespace troupe
