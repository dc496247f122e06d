#include "actors/link_address.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe {
namespace {

using steady = std::chrono::steady_clock;
using addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

expected<addresses> look_up(const std::string& host, uint16_t port, int flags) {
  auto wanted = addrinfo{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  auto name = without_brackets(host);
  if (auto error = ::getaddrinfo(name.empty() ? nullptr : name.c_str(), std::to_string(port).c_str(), &wanted, &found);
      error != 0)
    return fail(fmt::format("{}: {}", host, ::gai_strerror(error)));
  return addresses{found, ::freeaddrinfo};
}

int new_socket(const addrinfo& where) {
  return ::socket(where.ai_family, where.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, where.ai_protocol);
}

// 0, or the error.
int connect_by(int socket, const addrinfo& where, steady::time_point deadline) {
  if (::connect(socket, where.ai_addr, where.ai_addrlen) == 0)
    return 0;
  if (errno != EINPROGRESS && errno != EINTR)
    return errno;
  auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady::now()).count();
  auto polled = pollfd{socket, POLLOUT, 0};
  if (::poll(&polled, 1, static_cast<int>(std::max<decltype(left)>(left, 0))) <= 0)
    return ETIMEDOUT;
  auto error = 0;
  auto size = socklen_t{sizeof(error)};
  return ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

} // namespace

std::string without_brackets(const std::string& host) {
  return host.size() > 2 && host.front() == '[' && host.back() == ']' ? host.substr(1, host.size() - 2) : host;
}

std::string address_of_peer(int socket) {
  auto address = sockaddr_storage{};
  auto size = socklen_t{sizeof(address)};
  auto host = std::array<char, NI_MAXHOST>{};
  auto port = std::array<char, NI_MAXSERV>{};
  auto* where = reinterpret_cast<sockaddr*>(&address);
  if (::getpeername(socket, where, &size) != 0 || ::getnameinfo(where, size, host.data(), host.size(), port.data(),
                                                                port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "an address that is gone";
  return address.ss_family == AF_INET6 ? fmt::format("[{}]:{}", host.data(), port.data())
                                       : fmt::format("{}:{}", host.data(), port.data());
}

uint16_t port_of(int socket) {
  auto address = sockaddr_storage{};
  socklen_t size = sizeof(address);
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return 0;
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

expected<int> dial(const std::string& host, uint16_t port, std::chrono::milliseconds limit) {
  auto deadline = steady::now() + limit;
  auto found = look_up(host, port, 0);
  if (!found)
    return tl::unexpected(found.error());
  auto error = ENOENT;
  for (auto* each = found->get(); each != nullptr; each = each->ai_next) {
    auto socket = new_socket(*each);
    error = socket < 0 ? errno : connect_by(socket, *each, deadline);
    if (error == 0)
      return socket;
    if (socket >= 0)
      ::close(socket);
  }
  return fail(std::strerror(error));
}

expected<int> listen_on(const std::string& host, uint16_t port, bool reuse) {
  auto found = look_up(host, port, AI_PASSIVE);
  if (!found)
    return tl::unexpected(found.error());
  auto error = ENOENT;
  for (auto* each = found->get(); each != nullptr; each = each->ai_next) {
    auto socket = new_socket(*each);
    auto on = reuse ? 1 : 0;
    auto off = 0;
    if (socket >= 0 && each->ai_family == AF_INET6) // "::" is for IPv4, too
      ::setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (socket >= 0 && ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        ::bind(socket, each->ai_addr, each->ai_addrlen) == 0 && ::listen(socket, SOMAXCONN) == 0)
      return socket;
    error = errno;
    if (socket >= 0)
      ::close(socket);
  }
  return fail(std::strerror(error));
}

} // namespace troupe
