#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace troupe {

/// Why nobody can be reached there, in a few words; nothing: somebody takes connections. Blocks for `limit` at most,
/// while connecting by way of CAF blocks all who want to connect.
std::optional<std::string> probe_tcp(const std::string& host, uint16_t port, std::chrono::milliseconds limit);

} // namespace troupe
