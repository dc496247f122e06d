#pragma once

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>

#include "actors/lock_record.hpp"
#include "learn/file_system.hpp"

namespace troupe {

/// What of a lock service outlives it: its grants, in memory or in a folder. Synchronous; one thread at a time, a lane
/// for files (R9).
///
/// In a folder the journal is the file `journal-N` of CRC-32C frames. Who opens the folder claims the next N: the file
/// begins with all that may still be held, and once that is durable the files before go. The high half of a token is
/// the N of the process's first file, so of two processes with one folder the later one's tokens are higher, and the
/// earlier one finds itself superseded at its next grant and grants nothing any more. A torn end is what nobody was
/// told of, and is ignored.
class lock_journal {
public:
  /// In memory, as long as this object lives.
  lock_journal() = default;
  explicit lock_journal(std::filesystem::path folder, learn::file_system& files = learn::file_system::real())
    : folder_(std::move(folder)), files_(&files) {}

  /// Before it is opened: what is granted has higher tokens, since another process may have granted up to this one.
  void grant_above(fencing_token floor) {
    state_.last = std::max(state_.last, floor);
    highest_ = highest_of(state_.last);
  }
  /// No token of this process is higher, however many it grants. Any thread.
  [[nodiscard]] fencing_token highest_possible() const { return {highest_}; }

  /// What was granted before. Where the journal is open already: so far.
  expected<lock_state> open();
  /// Once this returns the record is durable, if it is a grant. After a failure it is or is not; the next record goes
  /// into a new file.
  expected<void> append(const lock_record& r);

private:
  /// Of the same high half as the next one.
  static uint64_t highest_of(fencing_token last) { return (last.value + 1) | 0xffff'ffff; }
  expected<void> begin_file();
  expected<void> taken_over() const;
  expected<void> write_state(learn::file_system::output& out) const;

  std::filesystem::path folder_;
  learn::file_system* files_ = nullptr; ///< null: in memory
  lock_state state_;
  std::atomic<uint64_t> highest_ = highest_of({});
  uint64_t number_ = 0;                             ///< of the file; 0: none was claimed yet
  std::unique_ptr<learn::file_system::output> out_; ///< null: a file has to be begun
  size_t records_ = 0;                              ///< in the file
};

} // namespace troupe
