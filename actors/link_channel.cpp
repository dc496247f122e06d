#include "actors/link_channel.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "actors/openssl.hpp"

namespace troupe {

namespace {

// The connection is gone: whoever used it says what becomes of that.
bool is_lost(int error) {
  return error == ECONNRESET || error == EPIPE || error == ETIMEDOUT || error == EHOSTUNREACH || error == ENETUNREACH;
}

// What OpenSSL tells of a call, it tells by what these hold afterwards.
void clear_errors() {
  errno = 0;
  ERR_clear_error();
}

} // namespace

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
  if (is_lost(errno))
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
    if (error == 0 || is_lost(error))
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

link_channel::result link_channel::write(std::span<const std::byte> from) {
  if (!session_) {
    auto sent = after_system(::send(socket_, from.data(), from.size(), MSG_NOSIGNAL));
    return sent.what == outcome::wait_input ? result{outcome::wait_output} : sent;
  }
  clear_errors();
  size_t bytes = 0;
  auto returned = SSL_write_ex(session_.get(), from.data(), from.size(), &bytes);
  return after(returned, bytes);
}

link_channel::result link_channel::write(std::span<const std::byte> first, std::span<const std::byte> then) {
  if (first.empty())
    return write(then);
  if (!session_) {
    auto parts = std::array{iovec{const_cast<std::byte*>(first.data()), first.size()},
                            iovec{const_cast<std::byte*>(then.data()), then.size()}};
    auto both = msghdr{};
    both.msg_iov = parts.data();
    both.msg_iovlen = then.empty() ? 1 : 2;
    auto sent = after_system(::sendmsg(socket_, &both, MSG_NOSIGNAL));
    return sent.what == outcome::wait_input ? result{outcome::wait_output} : sent;
  }
  // One record of TLS.
  auto record = std::array<std::byte, size_t{16} << 10>{};
  auto end = std::copy(first.begin(), first.end(), record.begin());
  auto more = std::min(then.size(), record.size() - first.size());
  end = std::copy_n(then.begin(), more, end);
  return write(std::span<const std::byte>{record.begin(), end});
}

bool link_channel::holds_bytes() const {
  return session_ && SSL_has_pending(session_.get()) == 1;
}

} // namespace troupe
