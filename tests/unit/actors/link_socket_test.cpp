// What the system is asked for, as it says itself; what becomes of connections is in tests/hosts.

#include "actors/link_socket.hpp"

#include <catch2/catch_test_macros.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace std::chrono_literals;

namespace {

struct tcp_socket {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ~tcp_socket() { ::close(fd); }
  [[nodiscard]] int get(int level, int what) const {
    auto value = -1;
    auto size = socklen_t{sizeof(value)};
    return ::getsockopt(fd, level, what, &value, &size) == 0 ? value : -1;
  }
};

} // namespace

TEST_CASE("a connection tries again at a steady pace, and sends small messages at once") {
  const tcp_socket s;
  troupe::prepare_socket(s.fd);
  CHECK(s.get(IPPROTO_TCP, TCP_NODELAY) == 1);
  CHECK(s.get(IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS) == 1);
  if (const auto pause = s.get(IPPROTO_TCP, 44); pause != -1) // TCP_RTO_MAX_MS: since Linux 6.15
    CHECK(pause == 1000);
}

TEST_CASE("a connection is given up by the time it was told, whether something is under way or not (R7)") {
  const tcp_socket s;
  for (const auto limit : {3000ms, 10'000ms, 1500ms}) {
    troupe::limit_silence(s.fd, limit);
    CHECK(s.get(SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(s.get(IPPROTO_TCP, TCP_USER_TIMEOUT) == limit.count());
    const auto idle =
      s.get(IPPROTO_TCP, TCP_KEEPIDLE) + s.get(IPPROTO_TCP, TCP_KEEPINTVL) * s.get(IPPROTO_TCP, TCP_KEEPCNT);
    CHECK(idle == std::max(2, static_cast<int>(std::chrono::ceil<std::chrono::seconds>(limit).count())));
  }
}

TEST_CASE("what is no socket of TCP's is left as it is") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  troupe::prepare_socket(ends[0]);
  troupe::limit_silence(ends[0], 1s);
  CHECK(::send(ends[0], "x", 1, 0) == 1);
  auto c = char{};
  CHECK(::recv(ends[1], &c, 1, 0) == 1);
  ::close(ends[0]);
  ::close(ends[1]);
}
