#include "actors/link_scribe.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <span>
#include <sys/socket.h>
#include <utility>

#include "actors/link_socket.hpp"

namespace troupe {

link_scribe::link_scribe(caf::io::network::default_multiplexer& loop, std::unique_ptr<link_channel> channel,
                         link_process process, std::string with)
  : caf::io::scribe(caf::io::network::conn_hdl_from_socket(channel->socket())), process_(std::move(process)),
    with_(std::move(with)), written_(UINT64_MAX), out_(std::make_shared<outgoing_segments>()),
    in_(std::make_shared<incoming_segments>()),
    stream_(loop, channel->socket(), std::move(channel), process_, with_, out_, in_) {
  auto to_worker = process_.settings->is_worker && process_.peers->load() > 0;
  if (to_worker)
    limit_silence(stream_.fd(), process_.settings->limits.silence_of_workers);
  ++*process_.peers;
}

link_scribe::~link_scribe() {
  --*process_.peers;
  if (segments_to_write() == out_.get())
    write_segments_to(nullptr);
}

void link_scribe::configure_read(caf::io::receive_policy::config config) {
  stream_.configure_read(config);
  if (!std::exchange(is_started_, true))
    stream_.start(this);
}

// What has been written since the last look.
void link_scribe::follow() {
  auto fresh = std::as_bytes(std::span{stream_.wr_buf()}).subspan(followed_);
  followed_ += fresh.size();
  (void)written_.see(fresh); // CAF's own
}

// CAF asks for it before each frame that it writes. While it reads one of another connection's, it passes that on.
caf::byte_buffer& link_scribe::wr_buf() {
  if (!std::exchange(is_writing_, true))
    followed_ = stream_.wr_buf().size();
  follow();
  write_segments_to(out_.get());
  out_->begin_frame(written_.frames() + 1);
  if (auto* from = segments_to_read(); from != nullptr && from != in_.get())
    out_->pass_on(*from);
  return stream_.wr_buf();
}

bool link_scribe::consume(caf::execution_unit* context, const void* data, size_t size) {
  auto before = read_segments_from(in_.get());
  auto result = caf::io::scribe::consume(context, data, size);
  read_segments_from(before);
  return result;
}

// What CAF holds for a peer that does not read has no bound of its own.
void link_scribe::flush() {
  write_segments_to(nullptr);
  if (std::exchange(is_writing_, false))
    follow();
  if (auto most = process_.settings->limits.unsent_bytes; stream_.wr_buf().size() + out_->bytes() > most) {
    process_.log->refused(with_, fmt::format("more than {} bytes wait for it to read", most));
    stream_.wr_buf().clear();
    ::shutdown(stream_.fd(), SHUT_RDWR); // the loop finds it closed
    return;
  }
  stream_.flush(this);
}

void link_scribe::graceful_shutdown() {
  stream_.graceful_shutdown();
  detach(&stream_.backend(), false);
}

std::string link_scribe::addr() const {
  auto found = caf::io::network::remote_addr_of_fd(stream_.fd());
  return found ? *found : std::string{};
}

uint16_t link_scribe::port() const {
  auto found = caf::io::network::remote_port_of_fd(stream_.fd());
  return found ? *found : uint16_t{0};
}

} // namespace troupe
