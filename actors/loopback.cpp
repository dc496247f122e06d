#include "actors/loopback.hpp"

#include <arpa/inet.h>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>

namespace troupe {
namespace {

bool is_loopback(const sockaddr& address) {
  if (address.sa_family == AF_INET)
    return (ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24) == 127;
  if (address.sa_family != AF_INET6)
    return false;
  auto& in6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&in6) || (IN6_IS_ADDR_V4MAPPED(&in6) && in6.s6_addr[12] == 127);
}

} // namespace

bool is_loopback(const std::string& host) {
  auto bare = host.size() > 1 && host.front() == '[' && host.back() == ']' ? host.substr(1, host.size() - 2) : host;
  auto wanted = addrinfo{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (bare.empty() || ::getaddrinfo(bare.c_str(), nullptr, &wanted, &found) != 0)
    return false;
  auto all = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>{found, ::freeaddrinfo};
  for (auto* each = all.get(); each != nullptr; each = each->ai_next)
    if (!is_loopback(*each->ai_addr))
      return false;
  return all != nullptr;
}

} // namespace troupe
