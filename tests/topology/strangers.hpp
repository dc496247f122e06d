#pragma once

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "actors/certificates.hpp"
#include "actors/link_address.hpp"
#include "actors/link_session.hpp"

/// Who knocks at a node and is not one of the job.
namespace troupe::test {

/// Lines of a log, from any thread.
class lines {
public:
  std::function<void(const std::string&)> sink() {
    return [this](const std::string& line) {
      auto guard = std::lock_guard{mutex_};
      all_.push_back(line);
      changed_.notify_all();
    };
  }

  /// The first line that holds `text`, and "" where none comes.
  std::string wait_for(const std::string& text) {
    auto guard = std::unique_lock{mutex_};
    auto found = std::string{};
    changed_.wait_for(guard, std::chrono::seconds{10}, [&] {
      for (auto& each : all_)
        if (each.find(text) != std::string::npos)
          found = each;
      return !found.empty();
    });
    return found;
  }

  /// Whether so many lines come.
  bool wait_for_size(size_t count) {
    auto guard = std::unique_lock{mutex_};
    return changed_.wait_for(guard, std::chrono::seconds{10}, [&] { return all_.size() >= count; });
  }

  size_t size() {
    auto guard = std::lock_guard{mutex_};
    return all_.size();
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> all_;
};

/// A connection that says what it likes.
class stranger {
public:
  explicit stranger(uint16_t port) {
    auto connected = dial("127.0.0.1", port, std::chrono::seconds{5});
    REQUIRE(connected);
    socket_ = *connected;
    ::fcntl(socket_, F_SETFL, 0); // blocks from here on
    auto limit = timeval{10, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
  ~stranger() {
    tls_.reset();
    ::close(socket_);
  }
  stranger(const stranger&) = delete;
  stranger& operator=(const stranger&) = delete;

  /// Speaks TLS from here on, believes anybody, and shows the certificate in a folder, or none.
  void speak_tls(const std::filesystem::path& folder = {}) {
    auto context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>{SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
    if (!folder.empty()) {
      REQUIRE(SSL_CTX_use_certificate_file(context.get(), (folder / "cert.pem").c_str(), SSL_FILETYPE_PEM) == 1);
      REQUIRE(SSL_CTX_use_PrivateKey_file(context.get(), (folder / "key.pem").c_str(), SSL_FILETYPE_PEM) == 1);
    }
    tls_.reset(SSL_new(context.get()));
    REQUIRE(SSL_set_fd(tls_.get(), socket_) == 1);
    SSL_connect(tls_.get()); // the other side's verdict comes afterwards
    ERR_clear_error();
  }

  template <class Bytes>
  void say(const Bytes& bytes) {
    if (tls_)
      SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
    else
      ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  /// Whether the other side closes the connection; what it says before that is read.
  bool is_dropped() {
    char bytes[1024];
    for (;;) {
      auto n = tls_ ? SSL_read(tls_.get(), bytes, sizeof(bytes)) : ::recv(socket_, bytes, sizeof(bytes), 0);
      if (n <= 0)
        return n == 0 || tls_ || (errno != EAGAIN && errno != EWOULDBLOCK);
    }
  }

  [[nodiscard]] int socket() const { return socket_; }

private:
  int socket_ = -1;
  std::unique_ptr<SSL, release_session> tls_;
};

/// Somebody of the job who then says what it likes: a connection that is through its greeting, or null.
inline std::unique_ptr<link_channel> greet(uint16_t port, const link_settings& settings) {
  auto connected = dial("127.0.0.1", port, std::chrono::seconds{5});
  REQUIRE(connected);
  auto session = link_session{*connected, std::make_shared<link_settings>(settings), 4711, "127.0.0.1"};
  for (;;) {
    auto wants = session.advance();
    if (!wants)
      return nullptr;
    if (*wants == link_session::needs::nothing)
      return session.release();
    auto polled =
      pollfd{session.socket(), static_cast<short>(*wants == link_session::needs::output ? POLLOUT : POLLIN), 0};
    REQUIRE(::poll(&polled, 1, 10000) > 0);
  }
}

inline void make_certs(const std::filesystem::path& folder, const std::string& job, std::vector<std::string> nodes,
                       std::chrono::days ago = {}) {
  auto order = certificates_order{};
  order.folder = folder;
  order.job = job;
  order.nodes = std::move(nodes);
  order.from -= ago;
  REQUIRE(make_certificates(order));
}

inline link_settings with_certs(const std::filesystem::path& folder) {
  auto identity = identity_in(folder);
  REQUIRE(identity);
  return {.identity = *identity};
}

} // namespace troupe::test
