#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace troupe {

/// What the owner of a `shared_pool` and its readers keep together about it, in memory that all of them write.
///
/// A loan is a slot. Its word is 0 when it is free, `lent` while its message is under way, `held` while the reader
/// reads. Owner: 0 → lent, and lent → 0 for what nobody has claimed in time. Reader: lent → held → 0. Each change is
/// one atomic operation, so neither can die in the middle of one; whose reader is dead is the owner's again.
struct shared_control {
  static constexpr uint64_t right_magic = 0x31304d4853505254; // "TRPSHM01"
  static constexpr size_t max_readers = 64;
  static constexpr size_t max_loans = 4096;
  /// The data begin with a page that holds the magic, for a reader to see that its mapping is the right one.
  static constexpr size_t data_begin = 4096;

  /// A process that has mapped all of it. 0: a free entry, or one that is being filled in.
  struct reader {
    std::atomic<uint32_t> pid;
    std::atomic<uint64_t> started;
  };

  static constexpr uint64_t lent(uint64_t token) { return token << 1; }
  static constexpr uint64_t held(uint64_t token) { return token << 1 | 1; }

  uint64_t magic;
  uint64_t started; ///< of the owner
  uint64_t bytes;   ///< of the data
  std::array<reader, max_readers> readers;
  alignas(64) std::array<std::atomic<uint64_t>, max_loans> slots;
};

static_assert(std::atomic<uint64_t>::is_always_lock_free, "processes share no locks");

} // namespace troupe
