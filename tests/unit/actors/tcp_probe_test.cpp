#include "actors/tcp_probe.hpp"

#include <arpa/inet.h>
#include <catch2/catch_test_macros.hpp>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

/// A socket that waits for connections, on some port of this machine.
struct listener {
  explicit listener(int backlog) : socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    auto where = sockaddr_in{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto size = socklen_t{sizeof(where)};
    REQUIRE(::bind(socket, reinterpret_cast<sockaddr*>(&where), size) == 0); // NOLINT
    REQUIRE(::listen(socket, backlog) == 0);
    REQUIRE(::getsockname(socket, reinterpret_cast<sockaddr*>(&where), &size) == 0); // NOLINT
    port = ntohs(where.sin_port);
  }
  ~listener() { ::close(socket); }

  int socket;
  uint16_t port = 0;
};

} // namespace

TEST_CASE("who takes connections is reached") {
  const listener there(8);
  CHECK_FALSE(probe_tcp("127.0.0.1", there.port, 10s));
  CHECK_FALSE(probe_tcp("localhost", there.port, 10s));
}

TEST_CASE("where nobody listens, the words say so") {
  auto port = uint16_t{0};
  {
    const listener gone(8);
    port = gone.port;
  }
  CHECK(probe_tcp("127.0.0.1", port, 10s) == "Connection refused");
}

TEST_CASE("a host that does not answer is not waited for any longer than the limit") {
  const listener there(0); // takes a connection or two that nobody accepts, and answers no more
  std::vector<int> sockets;
  auto where = sockaddr_in{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  where.sin_port = htons(there.port);
  for (int i = 0; i < 4; ++i) {
    sockets.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ::connect(sockets.back(), reinterpret_cast<const sockaddr*>(&where), sizeof(where)); // NOLINT
  }
  CHECK(probe_tcp("127.0.0.1", there.port, 50ms) == "Connection timed out");
  for (const int each : sockets)
    ::close(each);
}

TEST_CASE("a name that nobody has is told from a host that does not answer") {
  const auto why = probe_tcp("no-such-host.invalid", 1, 1s);
  REQUIRE(why);
  CHECK(*why != "Connection timed out");
  CHECK(*why != "Connection refused");
}
