#pragma once

#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/stream_impl.hpp>
#include <caf/io/scribe.hpp>
#include <memory>
#include <string>

#include "actors/frame_guard.hpp"
#include "actors/link_channel.hpp"
#include "actors/link_gate.hpp"

namespace troupe {

/// How CAF's stream reads and writes: through the channel, and past the guard.
class link_policy {
public:
  link_policy(std::unique_ptr<link_channel> channel, link_process process, std::string with);

  caf::io::network::rw_state read_some(size_t& done, caf::io::network::native_socket, void* into, size_t size);
  caf::io::network::rw_state write_some(size_t& done, caf::io::network::native_socket, const void* from, size_t size);
  bool must_read_more(caf::io::network::native_socket, size_t) { return channel_->holds_bytes(); }

private:
  caf::io::network::rw_state give_up(const std::string& why);

  std::unique_ptr<link_channel> channel_;
  link_process process_;
  std::string with_;
  frame_guard guard_;
};

/// CAF's end of a connection that is through its `link_session`. Counts as one of the process's peers as long as it
/// lives, and owns the socket.
class link_scribe final : public caf::io::scribe {
public:
  link_scribe(caf::io::network::default_multiplexer& loop, std::unique_ptr<link_channel> channel, link_process process,
              std::string with);
  ~link_scribe() override;
  link_scribe(const link_scribe&) = delete;
  link_scribe& operator=(const link_scribe&) = delete;

  void configure_read(caf::io::receive_policy::config config) override;
  void ack_writes(bool enable) override { stream_.ack_writes(enable); }
  caf::byte_buffer& wr_buf() override { return stream_.wr_buf(); }
  caf::byte_buffer& rd_buf() override { return stream_.rd_buf(); }
  void flush() override;
  void graceful_shutdown() override;
  [[nodiscard]] std::string addr() const override;
  [[nodiscard]] uint16_t port() const override;
  void add_to_loop() override { stream_.activate(this); }
  void remove_from_loop() override { stream_.passivate(); }

private:
  link_process process_;
  std::string with_; // whom, for the log
  caf::io::network::stream_impl<link_policy> stream_;
  bool is_started_ = false;
};

} // namespace troupe
