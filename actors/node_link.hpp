#pragma once

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <chrono>
#include <string>

#include "messages/failure.hpp"
#include "messages/interfaces.hpp"

namespace troupe {

/// Connects to what is published at host:port and says nothing to it. Blocks up to `limit` per exchange. One sentence
/// where nobody answers, or where it publishes nothing; `is` says what should, and how to start it: "node".
expected<caf::actor> reach(caf::actor_system& system, const std::string& host, uint16_t port, const std::string& is,
                           std::chrono::milliseconds limit = std::chrono::seconds{10});

/// Connects to the node at host:port, or the agent host of a worker process, and greets it. Blocks up to `limit` per
/// exchange. One sentence each where nobody answers, where the answer is no node's, and where the node refuses: another
/// version, taken by another job, no free slot.
expected<caf::actor> connect_node(caf::actor_system& system, const std::string& host, uint16_t port,
                                  const std::string& job_id,
                                  std::chrono::milliseconds limit = std::chrono::seconds{10});

/// Has a node give an incarnation of an agent a worker process of its own; the port on which that listens. Blocks. One
/// sentence where the node refuses, or where no process gets ready.
expected<uint16_t> open_worker_on(caf::actor_system& system, const node_actor& where, const open_worker& what,
                                  std::chrono::milliseconds limit = std::chrono::seconds{30});

/// "host:port"; one sentence where it is not.
expected<std::pair<std::string, uint16_t>> parse_address(const std::string& text);

} // namespace troupe
