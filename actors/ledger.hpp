#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <vector>

#include "actors/ledger_record.hpp"
#include "learn/file_system.hpp"

namespace troupe {

/// Which samples took effect at which step, in a folder, for `audit_ledger` and `troupe audit`. Outlives the
/// coordinator that keeps it. Records are gathered in memory, which takes a microsecond, and written by `flush`. Every
/// process that keeps a ledger in a folder begins a file of its own, `ledger-N`, of CRC-32C frames, and never touches
/// an earlier one: a torn end is what no checkpoint depends on.
class ledger {
public:
  /// `first`: what the files begin with, and where the run begins or goes on.
  ledger(std::filesystem::path folder, ledger_head first, learn::file_system& files = learn::file_system::real());

  /// Any thread.
  void add(const ledger_step& s) { gather(s, s.at); }
  void add(const ledger_rewind& r) { gather(r, r.to); }
  /// Whether so much was gathered that it should be written.
  [[nodiscard]] bool is_due() const;
  [[nodiscard]] bool is_empty() const;

  /// Makes what was gathered durable. Synchronous, one thread at a time: a lane for files (R9). After a failure what
  /// was gathered is kept, and goes into a new file.
  expected<void> flush();

private:
  void gather(const ledger_record& r, step from);
  expected<void> write(const std::vector<std::byte>& bytes, step from);

  std::filesystem::path folder_;
  ledger_head head_;
  learn::file_system& files_;
  std::unique_ptr<learn::file_system::output> out_; ///< null: a file has to be begun
  mutable std::mutex mutex_;
  std::vector<std::byte> gathered_;
  step from_; ///< the least step that is gathered, at first where the run begins
};

/// Numbers of the files of a ledger, ascending.
std::vector<uint64_t> find_ledger_files(const std::filesystem::path& folder);
std::filesystem::path ledger_file(const std::filesystem::path& folder, uint64_t number);

} // namespace troupe
