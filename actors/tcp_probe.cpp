#include "actors/tcp_probe.hpp"

#include <unistd.h>

#include "actors/link_address.hpp"

namespace troupe {

std::optional<std::string> probe_tcp(const std::string& host, uint16_t port, std::chrono::milliseconds limit) {
  auto socket = dial(host, port, limit);
  if (!socket)
    return socket.error().sentence;
  ::close(*socket);
  return std::nullopt;
}

} // namespace troupe
