#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "messages/failure.hpp"

namespace troupe {

/// "::1" for "[::1]", as addresses are written before a port; other hosts as they are.
std::string without_brackets(const std::string& host);

/// "192.0.2.1:4242" or "[2001:db8::1]:4242": who is at the other end of a connected socket.
std::string address_of_peer(int socket);
/// The port that a socket is bound to; 0 where it is none.
uint16_t port_of(int socket);

/// A connected socket that does not block, to the first address of `host` that answers. Blocks up to `limit`. Otherwise
/// the system's words why there is none.
expected<int> dial(const std::string& host, uint16_t port, std::chrono::milliseconds limit);

/// A listening socket that does not block, on the first address of `host` that can be bound.
expected<int> listen_on(const std::string& host, uint16_t port, bool reuse);

} // namespace troupe
