#pragma once

#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/stream_impl.hpp>
#include <caf/io/scribe.hpp>
#include <memory>
#include <string>

#include "actors/link_policy.hpp"

namespace troupe {

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
  /// What is written there before `flush` may have tensors beside it.
  caf::byte_buffer& wr_buf() override;
  caf::byte_buffer& rd_buf() override { return stream_.rd_buf(); }
  void flush() override;
  void graceful_shutdown() override;
  [[nodiscard]] std::string addr() const override;
  [[nodiscard]] uint16_t port() const override;
  /// Reads the tensors of the messages, too.
  bool consume(caf::execution_unit* context, const void* data, size_t size) override;
  void add_to_loop() override { stream_.activate(this); }
  void remove_from_loop() override { stream_.passivate(); }

private:
  void follow();

  link_process process_;
  std::string with_;    // whom, for the log
  frame_guard written_; // follows what CAF writes, for the numbers of frames
  size_t followed_ = 0; // bytes of the buffer, as long as something is being written
  bool is_writing_ = false;
  std::shared_ptr<outgoing_segments> out_;
  std::shared_ptr<incoming_segments> in_;
  caf::io::network::stream_impl<link_policy> stream_;
  bool is_started_ = false;
};

} // namespace troupe
