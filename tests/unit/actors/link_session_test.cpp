// The beginning of a connection, both sides in one thread, over a pair of sockets.

#include "actors/link_session.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <optional>
#include <random>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/certificates.hpp"
#include "actors/frame_guard.hpp"
#include "actors/link_settings.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace troupe;

namespace {

using needs = link_session::needs;

std::array<int, 2> two_ends() {
  auto ends = std::array<int, 2>{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
  return ends;
}

std::shared_ptr<const link_settings> plain(std::string secret = {}) {
  return std::make_shared<link_settings>(link_settings{.secret = std::move(secret)});
}

std::shared_ptr<const link_settings> with(const std::filesystem::path& folder) {
  auto identity = identity_in(folder);
  REQUIRE(identity);
  return std::make_shared<link_settings>(link_settings{.identity = *identity});
}

// What becomes of a session that is called so many times.
std::optional<std::string> advance(link_session& s) {
  auto wants = s.advance();
  return wants ? std::nullopt : std::optional{wants.error().sentence};
}

bool is_through(link_session& s) {
  auto wants = s.advance();
  return wants && *wants == needs::nothing;
}

} // namespace

TEST_CASE(
  "two processes of a job are through when both have read what the other has to say, and the first frame is there") {
  const test::temporary_folder folder;
  REQUIRE(make_certificates({folder.path(), "digits", {"a"}}));
  auto settings = std::vector<std::array<std::shared_ptr<const link_settings>, 2>>{
    {plain(), plain()},
    {plain("sesame"), plain("sesame")},
    {with(folder.path() / "leader"), with(folder.path() / "a")}};
  for (auto& [first, second] : settings) {
    auto ends = two_ends();
    auto dials = link_session{ends[0], first, 1, "a"};
    auto listens = link_session{ends[1], second, 2};
    auto through = false;
    for (auto i = 0; i < 20 && !through; ++i) {
      through = is_through(dials);
      CHECK_FALSE(is_through(listens));
    }
    REQUIRE(through);
    auto channel = dials.release();
    auto header = std::array<std::byte, frame_guard::header_bytes>{};
    REQUIRE(channel->write(std::span{header}.first(31)).bytes == 31);
    CHECK_FALSE(is_through(listens));
    REQUIRE(channel->write(std::span{header}.last(1)).bytes == 1);
    if (first->identity == nullptr) { // each write is a record of TLS's, and the guard asks for all in one
      CHECK(is_through(listens));
      // Not a byte of it was taken.
      auto rest = listens.release();
      auto read = std::array<std::byte, 64>{};
      CHECK(rest->read(read).bytes == header.size());
      ::close(rest->socket());
    }
    ::close(channel->socket());
  }
}

TEST_CASE("whoever has another secret is not through, and learns nothing that it could say elsewhere") {
  auto ends = two_ends();
  auto dials = link_session{ends[0], plain("barley"), 1, "a"};
  auto listens = link_session{ends[1], plain("sesame"), 2};
  auto refused = std::optional<std::string>{};
  for (auto i = 0; i < 20 && !refused; ++i) {
    CHECK_FALSE(is_through(dials));
    refused = advance(listens);
  }
  CHECK(refused == "it does not know the secret of this run");
}

TEST_CASE("I15: what was said on another connection is of no use on this one") {
  // Records what a process with the secret says.
  auto ends = two_ends();
  auto dials = link_session{ends[0], plain("sesame"), 1, "a"};
  auto listens = std::make_unique<link_session>(ends[1], plain("sesame"), 2);
  REQUIRE_FALSE(advance(dials));
  auto said = std::vector<std::byte>(4096);
  auto hello = ::recv(ends[1], said.data(), said.size(), MSG_PEEK);
  REQUIRE(hello > 0);
  REQUIRE_FALSE(advance(*listens));
  REQUIRE_FALSE(advance(dials));
  auto proof = ::recv(ends[1], said.data() + hello, said.size(), MSG_PEEK);
  REQUIRE(proof == 32);
  said.resize(static_cast<size_t>(hello + proof));

  auto again = two_ends();
  auto other = link_session{again[1], plain("sesame"), 2};
  REQUIRE(::send(again[0], said.data(), said.size(), 0) == static_cast<ssize_t>(said.size()));
  CHECK(advance(other) == "it does not know the secret of this run");
  ::close(again[0]);
}

TEST_CASE("whatever a stranger says, it is not let through") {
  auto random = std::mt19937{7};
  auto settings = plain("sesame");
  auto good = encode({.protocol = protocol_version, .version = "1", .process = 9, .has_secret = true});
  for (auto i = 0; i < 20000; ++i) {
    auto ends = two_ends();
    auto session = link_session{ends[1], settings, 2};
    auto bytes = good;
    for (auto flips = random() % 3; flips > 0; --flips)
      bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    for (auto more = random() % 80; more > 0; --more)
      bytes.push_back(static_cast<uint8_t>(random()));
    for (size_t at = 0; at < bytes.size();) {
      auto size = std::min<size_t>(1 + random() % 100, bytes.size() - at);
      at += size;
      if (::send(ends[0], bytes.data() + at - size, size, MSG_NOSIGNAL) < 0)
        break;
      auto wants = session.advance();
      if (!wants)
        break;
      REQUIRE(*wants != needs::nothing);
    }
    ::close(ends[0]);
  }
}
