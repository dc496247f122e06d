#include "actors/link_channel.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <openssl/err.h>
#include <sys/socket.h>
#include <utility>

#include "actors/openssl.hpp"

namespace troupe {

namespace {

// What OpenSSL tells of a call, it tells by what these hold afterwards.
void clear_errors() {
  errno = 0;
  ERR_clear_error();
}

// Of TLS's records, several of which have 16 KiB each.
constexpr size_t most_waiting = size_t{256} << 10;

int retry(BIO* at, long done, int why) {
  BIO_clear_retry_flags(at);
  if (done < 0 && (errno == EAGAIN || errno == EINTR))
    BIO_set_flags(at, why | BIO_FLAGS_SHOULD_RETRY);
  return static_cast<int>(done);
}

} // namespace

// The socket as OpenSSL sees it. OpenSSL's own writes with write(), and a peer that has gone would end the process with
// SIGPIPE.
struct socket_bio {
  static link_channel& channel(BIO* at) { return *static_cast<link_channel*>(BIO_get_data(at)); }
  static int read(BIO* at, char* into, int size) {
    return retry(at, channel(at).take_from_socket(into, static_cast<size_t>(size)), BIO_FLAGS_READ);
  }
  static int write(BIO* at, const char* from, int size) {
    return retry(at, channel(at).give_to_socket(from, static_cast<size_t>(size)), BIO_FLAGS_WRITE);
  }
  static long control(BIO*, int what, long, void*) { return what == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO* make(link_channel* of) {
    static auto* const kind = [] {
      auto* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
      openssl::check(made != nullptr && BIO_meth_set_read(made, read) == 1 && BIO_meth_set_write(made, write) == 1 &&
                     BIO_meth_set_ctrl(made, control) == 1);
      return made;
    }();
    auto* result = BIO_new(kind);
    openssl::check(result != nullptr);
    BIO_set_data(result, of);
    BIO_set_init(result, 1);
    return result;
  }
};

link_channel::link_channel(int socket, ssl_st* session) : socket_(socket), session_(session) {
  auto* at = socket_bio::make(this);
  SSL_set_bio(session, at, at);
}

link_channel::~link_channel() = default;

void release_session::operator()(ssl_st* what) const {
  SSL_free(what);
}

link_channel::result link_channel::after_system(ssize_t returned) {
  if (returned > 0)
    return {outcome::moved, static_cast<size_t>(returned)};
  if (returned == 0)
    return {outcome::closed};
  if (errno == EAGAIN || errno == EINTR)
    return {outcome::wait_input};
  if (errno == ECONNRESET || errno == EPIPE)
    return {outcome::closed};
  problem_ = std::strerror(errno);
  return {outcome::failed};
}

link_channel::result link_channel::after(int returned, size_t bytes) {
  if (returned > 0)
    return {outcome::moved, bytes};
  auto error = errno;
  switch (SSL_get_error(session_.get(), returned)) {
  case SSL_ERROR_WANT_READ:
    return {outcome::wait_input};
  case SSL_ERROR_WANT_WRITE:
    return {outcome::wait_output};
  case SSL_ERROR_ZERO_RETURN:
    return {outcome::closed};
  case SSL_ERROR_SYSCALL:
    ERR_clear_error();
    if (error == 0 || error == ECONNRESET || error == EPIPE)
      return {outcome::closed};
    problem_ = std::strerror(error);
    return {outcome::failed};
  default:
    // The other side goes without a farewell of TLS's, as CAF closes connections.
    if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
      ERR_clear_error();
      return {outcome::closed};
    }
    problem_ = openssl::last_reason();
    return {outcome::failed};
  }
}

link_channel::result link_channel::shake_hands() {
  clear_errors();
  return after(SSL_do_handshake(session_.get()), 0);
}

link_channel::result link_channel::read(std::span<std::byte> into) {
  if (!session_)
    return after_system(::recv(socket_, into.data(), into.size(), 0));
  clear_errors();
  size_t bytes = 0;
  auto returned = SSL_read_ex(session_.get(), into.data(), into.size(), &bytes);
  return after(returned, bytes);
}

link_channel::result link_channel::peek(std::span<std::byte> into) {
  if (!session_)
    return after_system(::recv(socket_, into.data(), into.size(), MSG_PEEK));
  clear_errors();
  size_t bytes = 0;
  auto returned = SSL_peek_ex(session_.get(), into.data(), into.size(), &bytes);
  return after(returned, bytes);
}

bool link_channel::holds_bytes() const {
  return session_ && (in_at_ < in_end_ || SSL_has_pending(session_.get()) == 1);
}

link_channel::result link_channel::write(std::span<const std::byte> from) {
  if (session_)
    return is_bulk_ ? write_bulk(from) : write_record(from);
  auto sent = after_system(::send(socket_, from.data(), from.size(), MSG_NOSIGNAL));
  return sent.what == outcome::wait_input ? result{outcome::wait_output} : sent;
}

link_channel::result link_channel::write_record(std::span<const std::byte> from) {
  clear_errors();
  size_t bytes = 0;
  auto returned = SSL_write_ex(session_.get(), from.data(), from.size(), &bytes);
  return after(returned, bytes);
}

// A byte is held back as long as something waits, so that whoever writes comes again for it.
link_channel::result link_channel::write_bulk(std::span<const std::byte> from) {
  if (auto sent = send_waiting(); sent.what != outcome::moved)
    return sent;
  auto done = std::exchange(held_back_, 0);
  auto last = result{outcome::moved};
  while (done < from.size() && out_.size() < most_waiting) {
    last = write_record(from.subspan(done));
    if (last.what != outcome::moved)
      break;
    done += last.bytes;
  }
  if (auto sent = send_waiting(); sent.what == outcome::wait_output && done > 0) {
    held_back_ = 1;
    --done;
  } else if (sent.what != outcome::moved) {
    return sent;
  }
  if (done > 0)
    return {outcome::moved, done};
  return held_back_ > 0 ? result{outcome::wait_output} : last;
}

// `moved` when nothing waits any more.
link_channel::result link_channel::send_waiting() {
  while (out_at_ < out_.size()) {
    auto sent = after_system(::send(socket_, out_.data() + out_at_, out_.size() - out_at_, MSG_NOSIGNAL));
    if (sent.what == outcome::wait_input)
      return {outcome::wait_output};
    if (sent.what != outcome::moved)
      return sent;
    out_at_ += sent.bytes;
  }
  out_.clear();
  out_at_ = 0;
  return {outcome::moved};
}

// -- what OpenSSL calls -----------------------------------------------------------------------------------------------

long link_channel::take_from_socket(char* into, size_t size) {
  if (!is_bulk_)
    return ::recv(socket_, into, size, 0);
  if (in_at_ == in_end_) {
    in_.resize(most_waiting);
    auto n = ::recv(socket_, in_.data(), in_.size(), 0);
    if (n <= 0)
      return n;
    in_at_ = 0;
    in_end_ = static_cast<size_t>(n);
  }
  auto taken = std::min(size, in_end_ - in_at_);
  std::memcpy(into, in_.data() + in_at_, taken);
  in_at_ += taken;
  return static_cast<long>(taken);
}

long link_channel::give_to_socket(const char* from, size_t size) {
  if (!is_bulk_)
    return ::send(socket_, from, size, MSG_NOSIGNAL);
  out_.insert(out_.end(), from, from + size);
  return static_cast<long>(size);
}

} // namespace troupe
