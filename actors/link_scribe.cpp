#include "actors/link_scribe.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <sys/socket.h>
#include <utility>

namespace troupe {
namespace {

using caf::io::network::rw_state;
using outcome = link_channel::outcome;

// Others in CAF's loop have their turn after so much.
constexpr size_t most_at_a_time = size_t{1} << 20;

} // namespace

// -- reading and writing ----------------------------------------------------------------------------------------------

link_policy::link_policy(std::unique_ptr<link_channel> channel, link_process process, std::string with)
  : channel_(std::move(channel)), process_(std::move(process)), with_(std::move(with)),
    guard_(process_.settings->limits.frame_bytes) {
  // nop
}

rw_state link_policy::give_up(const std::string& why) {
  process_.log->refused(with_, why);
  return rw_state::failure;
}

// A record of TLS is 16 KiB at most: several at a time.
rw_state link_policy::read_some(size_t& done, caf::io::network::native_socket, void* into, size_t size) {
  auto buffer = std::span{static_cast<std::byte*>(into), std::min(size, most_at_a_time)};
  auto r = link_channel::result{outcome::wait_input};
  done = 0;
  while (done < buffer.size()) {
    r = channel_->read(buffer.subspan(done));
    if (r.what != outcome::moved)
      break;
    done += r.bytes;
    if (channel_->session() == nullptr)
      break; // a second call would mostly find nothing
  }
  if (auto good = guard_.see(buffer.first(done)); !good)
    return give_up(good.error().sentence);
  if (done > 0)
    return rw_state::success; // an end comes again
  if (r.what == outcome::failed)
    return give_up(fmt::format("its connection fails: {}", channel_->problem()));
  return r.what == outcome::closed ? rw_state::failure : rw_state::success;
}

rw_state link_policy::write_some(size_t& done, caf::io::network::native_socket, const void* from, size_t size) {
  auto r = channel_->write({static_cast<const std::byte*>(from), std::min(size, most_at_a_time)});
  done = r.bytes;
  if (r.what == outcome::failed)
    return give_up(fmt::format("its connection fails: {}", channel_->problem()));
  return r.what == outcome::closed ? rw_state::failure : rw_state::success;
}

// -- CAF's end --------------------------------------------------------------------------------------------------------

link_scribe::link_scribe(caf::io::network::default_multiplexer& loop, std::unique_ptr<link_channel> channel,
                         link_process process, std::string with)
  : caf::io::scribe(caf::io::network::conn_hdl_from_socket(channel->socket())), process_(std::move(process)),
    with_(std::move(with)), stream_(loop, channel->socket(), std::move(channel), process_, with_) {
  ++*process_.peers;
}

link_scribe::~link_scribe() {
  --*process_.peers;
}

void link_scribe::configure_read(caf::io::receive_policy::config config) {
  stream_.configure_read(config);
  if (!std::exchange(is_started_, true))
    stream_.start(this);
}

// What CAF holds for a peer that does not read has no bound of its own.
void link_scribe::flush() {
  if (auto most = process_.settings->limits.unsent_bytes; stream_.wr_buf().size() > most) {
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
