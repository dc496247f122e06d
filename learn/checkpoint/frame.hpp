#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "learn/input_file.hpp"
#include "messages/failure.hpp"

namespace troupe::learn {

/// CRC-32C (Castagnoli; RFC 3720) of `bytes`, continuing from the checksum of what comes before them.
uint32_t crc32c(std::span<const std::byte> bytes, uint32_t before = 0);

/// A checksummed piece of a checkpoint file: a header of 24 bytes (little-endian: magic number "TRPF", kind, payload
/// bytes, CRC-32C of the payload, CRC-32C of the 20 bytes before), then the payload.
enum class frame_kind : uint32_t { manifest = 1, index = 2, tensor = 3, lock = 4, ledger = 5 };

using frame_header = std::array<std::byte, 24>;

frame_header make_frame_header(frame_kind kind, std::span<const std::byte> payload);

/// Reads the frames of a file one after the other. Nothing of a payload is handed out before its checksum holds, and no
/// memory is taken for one that does not fit the file. Failures name the file.
class frame_reader {
public:
  explicit frame_reader(input_file in) : in_(std::move(in)) {}

  /// A payload of any size, as text.
  expected<std::string> text(frame_kind kind);
  /// A payload of exactly `out.size()` bytes.
  expected<void> into(frame_kind kind, std::span<std::byte> out);
  /// Whether all bytes of the file have been read.
  [[nodiscard]] bool at_end() const { return position_ == in_.size(); }
  /// CRC-32C of all bytes read so far.
  [[nodiscard]] uint32_t checksum() const { return checksum_; }
  [[nodiscard]] const input_file& file() const { return in_; }

private:
  struct described {
    uint64_t bytes = 0;
    uint32_t checksum = 0;
  };
  expected<described> header(frame_kind kind);
  expected<void> payload(std::span<std::byte> out, uint32_t checksum);
  [[nodiscard]] tl::unexpected<failure> damaged(std::string_view how) const;

  input_file in_;
  uint64_t position_ = 0;
  uint32_t checksum_ = 0;
};

} // namespace troupe::learn
