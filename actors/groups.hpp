#pragma once

#include <cstdint>

#include "messages/ids.hpp"

namespace troupe {

/// The aggregator of an agent, where `fan_in` agents share one: it has the number of the first one of its group.
inline role_id aggregator_of(const role_id& agent, uint32_t fan_in) {
  return {"aggregator", agent.index / fan_in * fan_in};
}

/// So many agents share an aggregator if nothing else is said: about as many as there are aggregators then.
inline uint32_t usual_fan_in(uint32_t agents) {
  uint32_t root = 2;
  while (root * root < agents)
    ++root;
  return root;
}

/// How many aggregators there are for so many agents.
inline uint32_t aggregators_of(uint32_t agents, uint32_t fan_in) {
  return (agents + fan_in - 1) / fan_in;
}

} // namespace troupe
