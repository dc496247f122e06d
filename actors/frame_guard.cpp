#include "actors/frame_guard.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace troupe {
namespace {

// CAF's `io::basp::message_type`, the first byte of a header.
constexpr auto server_handshake = std::byte{0};
constexpr auto client_handshake = std::byte{1};
// Where the length of the payload stands in it, most significant byte first.
constexpr size_t length_at = 4;

} // namespace

expected<void> frame_guard::see(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (payload_left_ > 0) {
      auto passed = std::min<uint64_t>(payload_left_, bytes.size());
      payload_left_ -= passed;
      bytes = bytes.subspan(passed);
      continue;
    }
    auto taken = std::min(header_bytes - have_, bytes.size());
    std::copy_n(bytes.begin(), taken, header_.begin() + static_cast<std::ptrdiff_t>(have_));
    have_ += taken;
    bytes = bytes.subspan(taken);
    if (have_ < header_bytes)
      return {};
    have_ = 0;
    if (auto judged = judge(); !judged)
      return judged;
  }
  return {};
}

expected<void> frame_guard::judge() {
  auto length = uint64_t{0};
  for (size_t i = 0; i < 4; ++i)
    length = (length << 8) | std::to_integer<uint64_t>(header_[length_at + i]);
  auto greets = header_[0] == server_handshake || header_[0] == client_handshake;
  if (!has_greeted_ && !greets)
    return fail("it does not begin with a handshake of CAF's");
  has_greeted_ = true;
  if (auto most = greets ? handshake_bytes : most_bytes_; length > most)
    return fail(fmt::format("it announces a frame of {} bytes, and {} is the most", length, most));
  payload_left_ = length;
  ++frames_;
  return {};
}

} // namespace troupe
