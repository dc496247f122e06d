#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages/failure.hpp"

namespace troupe {

/// On which nodes the agents of a job begin.
enum class place_rule : uint8_t {
  spread,  ///< around the nodes, as evenly as their slots allow
  one_per, ///< one on a node: agents that need all of a host
  pack,    ///< a node is full before the next one gets any: agents that talk much, or nodes to be kept free
};

/// "spread", "one-per", "pack".
std::string_view to_string(place_rule rule);
expected<place_rule> parse_place_rule(std::string_view name);

/// The node of each agent, by rank: pure (R1). `slots`, by node, are the agents that it takes at most; 0: unknown, as
/// many as come. One sentence where the rule cannot be met.
expected<std::vector<uint32_t>> place_agents(place_rule rule, uint32_t agents, const std::vector<int>& slots);

struct job_options;

/// That of a job's agents; empty where they are not on nodes.
expected<std::vector<uint32_t>> place_agents(const job_options& job);

} // namespace troupe
