#pragma once

#include <cstddef>
#include <memory>

#include "messages/failure.hpp"
#include "messages/process_place.hpp"
#include "messages/shared_pool.hpp"

namespace troupe {

/// The `shared_pool` of another process as this process reads it: mapped once, read-only, found through
/// /proc/PID/fd, which the kernel opens for processes of the same user alone. What is mapped stays when its owner
/// dies. Thread-safe.
class shared_mapping : public std::enable_shared_from_this<shared_mapping> {
public:
  /// Maps what `from` shares and tells its pool so, which lends to `self` from then on. Maps nothing, with a sentence,
  /// where these two processes cannot share: another host, user or namespace, no such files, files that are not what
  /// they should be or that somebody could cut short.
  static expected<std::shared_ptr<shared_mapping>> open(const process_place& from, const process_place& self);
  ~shared_mapping();
  shared_mapping(const shared_mapping&) = delete;
  shared_mapping& operator=(const shared_mapping&) = delete;

  [[nodiscard]] process_id owner() const { return owner_; }
  [[nodiscard]] bool owner_ended() const { return watch_.ended(); }

  /// `bytes` bytes that were lent to this process, to be read in place; they go back with the last reference. Refuses,
  /// with a sentence, what lies outside of the pool or is not aligned, and a loan that was never made, has been claimed
  /// before or has been taken back.
  expected<std::shared_ptr<const std::byte>> claim(const shared_loan& loan, size_t bytes);

private:
  shared_mapping(const process_place& from, process_id self);
  expected<void> map(const process_place& from);
  expected<void> subscribe();

  process_id owner_;
  process_id self_;
  process_watch watch_;
  shared_control* control_ = nullptr;
  const std::byte* data_ = nullptr;
  size_t bytes_ = 0; // of the data
  bool subscribed_ = false;
};

} // namespace troupe
