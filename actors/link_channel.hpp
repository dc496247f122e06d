#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

struct bio_st;
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
  link_channel(int socket, ssl_st* session);
  ~link_channel();
  link_channel(const link_channel&) = delete;
  link_channel& operator=(const link_channel&) = delete;

  [[nodiscard]] int socket() const { return socket_; }
  [[nodiscard]] ssl_st* session() const { return session_.get(); }

  /// `moved` with 0 bytes when it is done.
  result shake_hands();
  result read(std::span<std::byte> into);
  /// The same without taking the bytes: what is there of them.
  result peek(std::span<std::byte> into);
  /// Bytes that count as moved may wait in the channel for those behind them; the caller always has one left then, with
  /// which to come again.
  result write(std::span<const std::byte> from);
  /// From now on much is read and written: records of TLS pass the socket many at a time.
  void begin_bulk() { is_bulk_ = session_ != nullptr; }
  /// Whether bytes were taken from the socket that nobody has read.
  [[nodiscard]] bool holds_bytes() const;
  [[nodiscard]] const std::string& problem() const { return problem_; }

private:
  friend struct socket_bio;

  result after(int returned, size_t bytes);
  result after_system(ssize_t returned);
  result write_record(std::span<const std::byte> from);
  result write_bulk(std::span<const std::byte> from);
  result send_waiting();
  long take_from_socket(char* into, size_t size);
  long give_to_socket(const char* from, size_t size);

  int socket_;
  std::unique_ptr<ssl_st, release_session> session_;
  std::string problem_;
  bool is_bulk_ = false;
  std::vector<char> in_; // records of TLS that OpenSSL has not asked for yet, from `in_at_` to `in_end_`
  size_t in_at_ = 0;
  size_t in_end_ = 0;
  std::vector<char> out_; // records of TLS that the socket had no room for yet, from `out_at_`
  size_t out_at_ = 0;
  size_t held_back_ = 0; // bytes that are written and were not counted
};

} // namespace troupe
