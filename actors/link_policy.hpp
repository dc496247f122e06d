#pragma once

#include <array>
#include <caf/io/network/native_socket.hpp>
#include <caf/io/network/rw_state.hpp>
#include <memory>
#include <string>

#include "actors/frame_guard.hpp"
#include "actors/link_channel.hpp"
#include "actors/link_gate.hpp"
#include "messages/segments.hpp"

namespace troupe {

/// What is sent over a connection once it is through: records of a header and a body, either bytes of CAF's protocol or
/// one tensor that the next of these refer to.
struct link_record {
  static constexpr size_t header_bytes = 24;
  using header = std::array<std::byte, header_bytes>;
  enum class kind : uint8_t { messages = 1, segment = 2 };

  kind what = kind::messages;
  uint64_t bytes = 0;  ///< of the body, less than 2^56
  uint64_t frame = 0;  ///< of a segment: the message's, counted from 1
  uint64_t number = 0; ///< of a segment, in that message

  [[nodiscard]] header encoded() const;
  /// Otherwise the reason, as a clause that has "it" for the peer.
  static expected<link_record> from(std::span<const std::byte> bytes);
};

/// How CAF's stream reads and writes: through the channel and past the guard, and what it does not see of it, tensors
/// beside the messages.
class link_policy {
public:
  link_policy(std::unique_ptr<link_channel> channel, link_process process, std::string with,
              std::shared_ptr<outgoing_segments> out, std::shared_ptr<incoming_segments> in);

  // Both take and give bytes of CAF's protocol.
  caf::io::network::rw_state read_some(size_t& done, caf::io::network::native_socket, void* into, size_t size);
  caf::io::network::rw_state write_some(size_t& done, caf::io::network::native_socket, const void* from, size_t size);
  bool must_read_more(caf::io::network::native_socket, size_t) {
    return first_ahead_ < ahead_end_ || channel_->holds_bytes();
  }

private:
  using outcome = link_channel::outcome;
  struct writing {
    link_record::header header{};
    size_t header_sent = link_record::header_bytes;
    std::span<const std::byte> segment; // what is left of it
    std::shared_ptr<const void> owner;
    uint64_t messages_left = 0;
  };
  struct reading {
    link_record what;
    uint64_t left = 0;
    std::shared_ptr<std::byte> memory; // of a segment
  };

  bool begin_record(size_t messages);
  link_channel::result read_ahead();
  link_channel::result fill(std::span<std::byte> into);
  expected<bool> begin_reading();
  caf::io::network::rw_state give_up(const std::string& why);

  std::unique_ptr<link_channel> channel_;
  link_process process_;
  std::string with_;
  frame_guard guard_;
  std::shared_ptr<outgoing_segments> out_;
  std::shared_ptr<incoming_segments> in_;
  writing now_writing_;
  reading now_reading_;
  std::array<std::byte, size_t{4} << 10> ahead_{}; // read together with a header
  size_t first_ahead_ = 0;
  size_t ahead_end_ = 0;
};

} // namespace troupe
