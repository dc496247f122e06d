#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "messages/failure.hpp"
#include "messages/process_place.hpp"
#include "messages/shared_control.hpp"

namespace troupe {

/// Where a reader finds what it was lent, and what it gives back.
struct shared_loan {
  process_id owner;
  process_id reader; ///< nobody else may claim it
  uint32_t slot = 0;
  uint64_t token = 0;
  uint64_t offset = 0;
};

/// Memory of this process that other processes of the same host and user read in place. It lies in anonymous files
/// (memfd) without names, which are gone when no process maps them any more, however that ends (I9); they are sealed,
/// so that nobody can cut them short under a reader.
///
/// A block is lent by a descriptor in a message. It stays taken until the reader gives it back, the reader's process
/// has ended, or nobody has claimed it in time. Bounded (R13): `acquire` and `lend` refuse and count when the pool is
/// spent. Thread-safe.
class shared_pool : public std::enable_shared_from_this<shared_pool> {
public:
  struct options {
    size_t bytes = size_t{1} << 30; ///< of address space; pages are taken as they are written
    uint32_t loans = shared_control::max_loans;
    std::chrono::nanoseconds claim_limit = std::chrono::seconds{30}; ///< what is unclaimed for longer is taken back
    std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
  };

  /// One sentence where this host has no such memory.
  static expected<std::shared_ptr<shared_pool>> open(options o);
  ~shared_pool();
  shared_pool(const shared_pool&) = delete;
  shared_pool& operator=(const shared_pool&) = delete;

  /// Tells readers where to find it.
  [[nodiscard]] const process_place& place() const { return place_; }

  /// Memory of at least `bytes` bytes, page-aligned, contents unspecified; null where the pool has none left.
  std::shared_ptr<std::byte> acquire(size_t bytes);
  [[nodiscard]] bool contains(const std::byte* p) const;

  /// Lends what lies at `at`, inside of memory of this pool that `memory` owns, to a process that reads this pool.
  /// Nothing if that process does not (yet), or all loans are out. `memory` is kept until it is given back.
  std::optional<shared_loan> lend(std::shared_ptr<const void> memory, const std::byte* at, process_id to);
  [[nodiscard]] bool is_read_by(process_id who) const;

  /// Takes back what readers have returned, what readers that have ended held, and what nobody has claimed in time.
  void reclaim();

  /// Takes everything back, whoever holds it: a loan keeps its memory, and that the pool. Nothing is lent after this.
  void close();

  struct usage {
    size_t taken = 0;     ///< bytes that are in use here or lent
    size_t loans = 0;     ///< now
    uint64_t refused = 0; ///< times that memory or a loan was asked for in vain, so far
  };
  [[nodiscard]] usage used() const;

private:
  struct out {
    uint32_t slot;
    uint64_t token;
    process_id to;
    std::chrono::steady_clock::time_point since;
    std::shared_ptr<const void> memory;
  };
  using returned = std::vector<std::shared_ptr<const void>>; // to be released outside of the lock

  shared_pool(options o, process_place place, void* control, void* data);
  std::optional<size_t> take(size_t bytes);
  void give(size_t offset, size_t bytes);
  void collect_returned(returned& back);
  void collect_lost(returned& back);

  options options_;
  process_place place_;
  shared_control* control_;
  std::byte* data_;
  mutable std::mutex mutex_;
  std::map<size_t, size_t> free_; // offset → bytes
  size_t taken_ = 0;
  std::vector<uint32_t> free_slots_;
  uint64_t last_token_ = 0;
  std::deque<out> out_;
  std::map<process_id, process_watch> readers_;
  uint64_t refused_ = 0;
  bool closed_ = false;
};

} // namespace troupe
