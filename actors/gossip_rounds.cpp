#include "actors/gossip_rounds.hpp"

namespace troupe {

// The circle method: with an odd number m - 1 of places on a circle, those whose sum is the round's number modulo
// m - 1 meet; who would meet itself meets the one in the middle, where there is one.
std::vector<uint32_t> gossip_rounds::partners(step at, uint32_t peers, uint32_t place) const {
  auto result = std::vector<uint32_t>{};
  if (all_meet_in(at)) {
    for (uint32_t i = 0; i < peers; ++i)
      if (i != place)
        result.push_back(i);
    return result;
  }
  if (peers < 2)
    return result;
  const auto even = uint64_t{peers} + peers % 2;
  const auto circle = even - 1;
  const auto round = at.value % circle;
  auto partner = place == circle ? round * (even / 2) % circle : (round + circle - place) % circle;
  if (partner == place)
    partner = circle;
  if (partner < peers)
    result.push_back(static_cast<uint32_t>(partner));
  return result;
}

} // namespace troupe
