// What a stranger sends on a connection: the hello, and behind it records, frames of CAF's and tensors. The first byte
// says which of the two the others are.

#include <array>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/link_hello.hpp"
#include "actors/link_policy.hpp"
#include "tests/fuzz/target.hpp"

namespace troupe::fuzz {
namespace {

constexpr uint64_t most = uint64_t{1} << 20;

void read_hello(std::span<const std::byte> input) {
  const auto said = std::span{reinterpret_cast<const uint8_t*>(input.data()), input.size()};
  if (said.size() < hello_prefix_bytes)
    return;
  const auto size = hello_size(said.first(hello_prefix_bytes));
  if (!size || *size > said.size())
    return;
  if (*size > most_hello_bytes)
    broken("a hello may be longer than it can");
  const auto hello = decode_hello(said.first(*size));
  if (hello && hello->protocol == protocol_version && decode_hello(encode(*hello)).value() != *hello)
    broken("a hello that was read and written is another one when it is read again");
}

void read_records(std::span<const std::byte> input) {
  auto ends = std::array<int, 2>{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) != 0)
    broken("there is no pair of sockets");
  auto settings = std::make_shared<link_settings>();
  settings->limits.frame_bytes = most;
  settings->on_line = [](const std::string&) {};
  const auto process =
    link_process{settings, 1, std::make_shared<std::atomic<size_t>>(0), std::make_shared<link_log>(settings->on_line)};
  const auto in = std::make_shared<incoming_segments>();
  auto policy =
    link_policy{std::make_unique<link_channel>(ends[1]), process, "there", std::make_shared<outgoing_segments>(), in};
  const auto sent = ::send(ends[0], input.data(), input.size(), MSG_NOSIGNAL);
  auto buffer = bytes(512);
  auto read = size_t{1};
  for (auto left = sent; left >= 0 && read > 0; left -= static_cast<ssize_t>(read)) {
    if (policy.read_some(read, ends[1], buffer.data(), buffer.size()) != caf::io::network::rw_state::success)
      break;
    if (in->bytes() > most)
      broken("more is held for a peer than the limit");
  }
  ::close(ends[0]);
  ::close(ends[1]);
}

bytes record(link_record::kind what, const bytes& body, uint64_t frame = 0, uint64_t number = 0) {
  const auto header = link_record{what, body.size(), frame, number}.encoded();
  auto result = bytes{header.begin(), header.end()};
  result.insert(result.end(), body.begin(), body.end());
  return result;
}

} // namespace

void read(std::span<const std::byte> input) {
  if (input.empty())
    return;
  if (std::to_integer<int>(input.front()) % 2 == 0)
    read_hello(input.subspan(1));
  else
    read_records(input.subspan(1));
}

std::vector<bytes> seeds() {
  auto hello = bytes{std::byte{0}};
  for (const auto byte : encode({.version = "0.1.0", .job = "digits", .node = "a.example", .process = 7}))
    hello.push_back(std::byte{byte});
  auto handshake = bytes(frame_guard::header_bytes);
  handshake[0] = std::byte{1};
  auto message = bytes(frame_guard::header_bytes + 3);
  message[0] = std::byte{2};
  message[7] = std::byte{3};
  auto records = bytes{std::byte{1}};
  for (const auto& each :
       {record(link_record::kind::messages, handshake), record(link_record::kind::segment, bytes(40), 2, 1),
        record(link_record::kind::messages, message)})
    records.insert(records.end(), each.begin(), each.end());
  return {hello, records};
}

} // namespace troupe::fuzz
