#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "learn/input_file.hpp"
#include "messages/failure.hpp"

struct inflate_state;

namespace troupe::learn {

/// Reads a file from its beginning to its end; one that starts with gzip's magic number (RFC 1952) is decompressed on
/// the way, in constant memory. Failures name the file.
class byte_stream {
public:
  static expected<byte_stream> open(const std::filesystem::path& file);
  byte_stream(byte_stream&&) noexcept;
  ~byte_stream();

  [[nodiscard]] const std::filesystem::path& file() const { return in_.path(); }
  [[nodiscard]] bool compressed() const { return inflate_ != nullptr; }
  /// What can be read at the most: the file's size, or what gzip can make of it (1,032 bytes from one).
  [[nodiscard]] uint64_t most_bytes() const;
  /// Fills `out`; fewer bytes only where the content ends. The checksum of a gzip file is verified by the call that
  /// meets the end, so read on until a call comes back short.
  expected<size_t> read(std::span<uint8_t> out);

private:
  explicit byte_stream(input_file in);
  expected<size_t> read_plain(std::span<uint8_t> out);
  expected<size_t> read_compressed(std::span<uint8_t> out);

  static constexpr size_t chunk = size_t{64} * 1024;

  input_file in_;
  uint64_t position_ = 0; // in the file
  std::unique_ptr<inflate_state> inflate_;
  std::unique_ptr<uint8_t[]> input_; // (chunk), the inflater's
};

} // namespace troupe::learn
