#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "messages/failure.hpp"
#include "messages/shared_mapping.hpp"
#include "messages/shared_pool.hpp"

namespace troupe {

/// How tensors pass between the processes of one host without going through a connection: what this process lends, and
/// what it reads of others. Thread-safe.
class shared_memory {
public:
  /// Of this process, as memory is. Shared by all nodes in it on purpose; never destroyed, as payloads may outlive
  /// static destruction.
  static shared_memory& of_this_process();

  explicit shared_memory(shared_pool::options o = {}) : options_(std::move(o)) {}
  ~shared_memory() { refrain(); }

  /// Where others find what this process shares; from the first call on it does. Empty where this host has no such
  /// memory, or after `refrain`.
  process_place place();
  /// Shares nothing and reads nothing of others, for comparison: tensors go through connections.
  void refrain();

  /// Reads what `from` lends to this process from now on; says so to its pool. Without effect for a process of another
  /// host or one that is read already. Where the two are of one host and cannot share, tensors between them go through
  /// the connection; the first time, that is said in a sentence.
  std::optional<std::string> attach(const process_place& from);

  /// Memory that can be lent; usual memory where this process shares none, or none is left.
  std::shared_ptr<std::byte> acquire(size_t bytes);

  /// Lends `bytes` bytes at `at`, which `memory` owns, to a process that reads what this one shares. What does not lie
  /// in shared memory is copied there first. Nothing if that process does not read here, or nothing is left to lend.
  std::optional<shared_loan> lend(const std::shared_ptr<const void>& memory, const std::byte* at, size_t bytes,
                                  process_id to);
  /// What another process has lent to this one; see `shared_mapping::claim`.
  expected<std::shared_ptr<const std::byte>> claim(const shared_loan& loan, size_t bytes);

  /// Tensors that were to be lent and went through a connection, since a bound was reached (R13).
  [[nodiscard]] uint64_t not_lent() const { return not_lent_; }
  [[nodiscard]] uint64_t lent() const { return lent_; }
  [[nodiscard]] uint64_t lent_bytes() const { return lent_bytes_; }

private:
  std::shared_ptr<shared_pool> pool() const;

  shared_pool::options options_;
  mutable std::mutex mutex_;
  bool tried_ = false;
  bool refrains_ = false;
  bool said_ = false; // that another process of this host cannot be read
  std::shared_ptr<shared_pool> pool_;
  std::map<process_id, std::shared_ptr<shared_mapping>> read_;
  std::atomic<uint64_t> lent_ = 0;
  std::atomic<uint64_t> lent_bytes_ = 0;
  std::atomic<uint64_t> not_lent_ = 0;
};

} // namespace troupe
