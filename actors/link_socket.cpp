#include "actors/link_socket.hpp"

#include <algorithm>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace troupe {
namespace {

// The longest pause between two attempts to get the same bytes through: the least that Linux allows.
constexpr int longest_pause_ms = 1000;

// Known to systems that are newer than their headers.
#ifdef TCP_RTO_MAX_MS
constexpr int longest_pause = TCP_RTO_MAX_MS;
#else
constexpr int longest_pause = 44;
#endif

// What the system does not know, or the socket is not of TCP's, changes nothing.
void set(int socket, int level, int what, int value) {
  ::setsockopt(socket, level, what, &value, sizeof(value));
}

} // namespace

void prepare_socket(int socket) {
  set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set(socket, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1);
  set(socket, IPPROTO_TCP, longest_pause, longest_pause_ms);
}

// Keep-alives are for a connection on which nothing is under way, the other limit for one that has something to send.
void limit_silence(int socket, std::chrono::milliseconds limit) {
  auto seconds = std::max(static_cast<int>(std::chrono::ceil<std::chrono::seconds>(limit).count()), 2);
  set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(socket, IPPROTO_TCP, TCP_KEEPIDLE, (seconds + 1) / 2);
  set(socket, IPPROTO_TCP, TCP_KEEPINTVL, 1);
  set(socket, IPPROTO_TCP, TCP_KEEPCNT, seconds / 2);
  set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(limit.count()));
}

} // namespace troupe
