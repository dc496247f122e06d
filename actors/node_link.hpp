#pragma once

#include <caf/actor_system.hpp>
#include <chrono>
#include <string>

#include "messages/failure.hpp"
#include "messages/interfaces.hpp"

namespace troupe {

/// Connects to the node process at host:port and greets it. Blocks up to `limit` per exchange. One sentence each where
/// nobody answers, where the answer is no node's, and where the node refuses: another version, taken by another job, no
/// free slot.
expected<node_actor> connect_node(caf::actor_system& system, const std::string& host, uint16_t port,
                                  const std::string& job_id,
                                  std::chrono::milliseconds limit = std::chrono::seconds{10});

/// "host:port"; one sentence where it is not.
expected<std::pair<std::string, uint16_t>> parse_address(const std::string& text);

} // namespace troupe
