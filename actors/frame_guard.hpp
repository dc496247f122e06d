#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "messages/failure.hpp"

namespace troupe {

/// Follows what a peer sends, in CAF's protocol (BASP): headers of 32 bytes, each with the length of the payload behind
/// it. CAF believes that length, and takes memory for it at once. The guard sees every byte before CAF does and refuses
/// what is too long, and a peer whose first frame is not a handshake of CAF's.
class frame_guard {
public:
  static constexpr size_t header_bytes = 32;
  /// Of a handshake's payload: names of nodes and interfaces.
  static constexpr uint64_t handshake_bytes = uint64_t{64} << 10;

  explicit frame_guard(uint64_t most_bytes) : most_bytes_(most_bytes) {}

  /// What comes next, in pieces of any size. Otherwise the reason, as a clause that has "it" for the peer; nothing of
  /// these bytes may reach CAF then.
  expected<void> see(std::span<const std::byte> bytes);
  /// Headers that have passed whole.
  [[nodiscard]] uint64_t frames() const { return frames_; }

private:
  expected<void> judge();

  uint64_t most_bytes_;
  std::array<std::byte, header_bytes> header_{};
  size_t have_ = 0; // of the header
  uint64_t payload_left_ = 0;
  uint64_t frames_ = 0;
  bool has_greeted_ = false;
};

} // namespace troupe
