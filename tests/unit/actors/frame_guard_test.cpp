// The lengths that a peer announces, seen before CAF takes memory for them.

#include "actors/frame_guard.hpp"

#include <catch2/catch_test_macros.hpp>
#include <random>
#include <vector>

using namespace troupe;

namespace {

using bytes = std::vector<std::byte>;

constexpr uint8_t client_handshake = 1;
constexpr uint8_t direct_message = 2;

bytes frame(uint8_t operation, uint32_t length, bool with_payload = true) {
  auto result = bytes(frame_guard::header_bytes + (with_payload ? length : 0));
  result[0] = std::byte{operation};
  for (size_t i = 0; i < 4; ++i)
    result[4 + i] = static_cast<std::byte>(length >> (24 - 8 * i));
  return result;
}

bytes operator+(bytes a, const bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

} // namespace

TEST_CASE("frames of CAF's pass in pieces of any size") {
  auto stream = frame(client_handshake, 40) + frame(direct_message, 1000) + frame(direct_message, 1) + frame(5, 0) +
                frame(direct_message, 313);
  auto random = std::mt19937{1};
  for (size_t most = 1; most < 200; ++most) {
    auto guard = frame_guard{1000};
    for (size_t at = 0; at < stream.size();) {
      auto size = std::min<size_t>(1 + random() % most, stream.size() - at);
      REQUIRE(guard.see(std::span{stream}.subspan(at, size)));
      at += size;
    }
  }
}

TEST_CASE("a frame that is too long is refused with the last byte of its header") {
  for (uint32_t length : {uint32_t{1001}, uint32_t{3} << 30, UINT32_MAX}) {
    auto guard = frame_guard{1000};
    REQUIRE(guard.see(frame(client_handshake, 40) + frame(direct_message, 1000)));
    auto header = frame(direct_message, length, false);
    CHECK(guard.see(std::span{header}.first(31)));
    auto judged = guard.see(std::span{header}.last(1));
    REQUIRE_FALSE(judged);
    CHECK(judged.error().sentence.find(std::to_string(length) + " bytes, and 1000 is the most") != std::string::npos);
  }
}

TEST_CASE("the first frame is a handshake of CAF's, and a short one") {
  CHECK_FALSE(frame_guard{1 << 30}.see(frame(direct_message, 10)));
  CHECK_FALSE(frame_guard{1 << 30}.see(frame(client_handshake, (64 << 10) + 1)));
  CHECK(frame_guard{1 << 30}.see(frame(client_handshake, 64 << 10)));
  auto guard = frame_guard{1 << 30};
  REQUIRE(guard.see(frame(client_handshake, 10)));
  CHECK_FALSE(guard.see(frame(client_handshake, 1 << 20))); // nor a later one
}
