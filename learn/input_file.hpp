#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "messages/failure.hpp"

namespace troupe::learn {

/// A regular file open for reading. Failures name the file and the reason.
class input_file {
public:
  static expected<input_file> open(const std::filesystem::path& path);
  input_file(input_file&& other) noexcept;
  input_file& operator=(input_file&& other) noexcept;
  ~input_file();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// When it was opened.
  [[nodiscard]] uint64_t size() const { return size_; }
  /// Fills `out` from byte `offset` on; returns fewer bytes than asked for only where the file ends.
  [[nodiscard]] expected<size_t> read_some(uint64_t offset, std::span<std::byte> out) const;
  /// The same; a file that ends early is a failure.
  [[nodiscard]] expected<void> read(uint64_t offset, std::span<std::byte> out) const;

private:
  input_file(std::filesystem::path path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  std::filesystem::path path_;
  int descriptor_;
  uint64_t size_ = 0;
};

} // namespace troupe::learn
