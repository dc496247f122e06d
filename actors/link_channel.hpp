#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

struct ssl_st;

namespace troupe {

struct release_session {
  void operator()(ssl_st* what) const;
};

/// A connected socket that does not block, plain or through TLS. Does not own the socket.
class link_channel {
public:
  enum class outcome {
    moved,       ///< at least one byte
    wait_input,  ///< again when there is something to read
    wait_output, ///< again when there is room to write
    closed,      ///< by the other side
    failed,      ///< see `problem()`
  };
  struct result {
    outcome what;
    size_t bytes = 0;
  };

  explicit link_channel(int socket) : socket_(socket) {}
  link_channel(int socket, ssl_st* session) : socket_(socket), session_(session) {}

  [[nodiscard]] int socket() const { return socket_; }
  [[nodiscard]] ssl_st* session() const { return session_.get(); }

  /// `moved` with 0 bytes when it is done.
  result shake_hands();
  result read(std::span<std::byte> into);
  /// The same without taking the bytes: what is there of them.
  result peek(std::span<std::byte> into);
  result write(std::span<const std::byte> from);
  /// One behind the other, in one go as far as possible; `bytes` counts both.
  result write(std::span<const std::byte> first, std::span<const std::byte> then);
  /// Whether bytes were taken from the socket that nobody has read.
  [[nodiscard]] bool holds_bytes() const;
  [[nodiscard]] const std::string& problem() const { return problem_; }

private:
  result after(int returned, size_t bytes);
  result after_system(ssize_t returned);

  int socket_;
  std::unique_ptr<ssl_st, release_session> session_;
  std::string problem_;
};

} // namespace troupe
