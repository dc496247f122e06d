#include "actors/all_reduce_schedule.hpp"

#include <bit>

namespace troupe {
namespace {

using enum exchange::kind;

std::vector<exchange> around_the_ring(uint32_t peers, uint32_t place, uint32_t chunk) {
  auto next = (place + 1) % peers;
  auto previous = (place + peers - 1) % peers;
  auto hops = (place + peers - chunk - 1) % peers; // from where the chunk starts
  auto result = std::vector<exchange>{};
  if (hops > 0)
    result.push_back({add, hops - 1, previous});
  if (peers > 1)
    result.push_back({send, hops, next});
  if (hops + 1 < peers)
    result.push_back({take, peers - 1 + hops, previous});
  if (hops + 2 < peers) // else the next one is the owner, who made it
    result.push_back({send, peers + hops, next});
  return result;
}

std::vector<exchange> by_doubling(uint32_t peers, uint32_t place) {
  auto power = std::bit_floor(peers);
  auto pairs = peers - power;
  auto last = static_cast<uint32_t>(std::bit_width(power)); // one behind those of the doubling, which begin with 1
  auto paired = place < 2 * pairs;
  if (paired && place % 2 == 0)
    return {{send, 0, place + 1}, {take, last, place + 1}};
  auto result = std::vector<exchange>{};
  if (paired)
    result.push_back({add, 0, place - 1});
  auto number = paired ? place / 2 : place - pairs;
  for (uint32_t k = 0; 1u << k < power; ++k) {
    auto partner = number ^ 1u << k;
    auto peer = partner < pairs ? 2 * partner + 1 : partner + pairs;
    result.push_back({send, k + 1, peer});
    result.push_back({add, k + 1, peer});
  }
  if (paired)
    result.push_back({send, last, place - 1});
  return result;
}

} // namespace

all_reduce_schedule schedule_of(size_t floats, size_t doubling_below) {
  return floats < doubling_below ? all_reduce_schedule::doubling : all_reduce_schedule::ring;
}

uint32_t chunks_of(all_reduce_schedule how, uint32_t peers) {
  return how == all_reduce_schedule::ring ? peers : 1;
}

std::vector<exchange> exchanges_of(all_reduce_schedule how, uint32_t peers, uint32_t place, uint32_t chunk) {
  return how == all_reduce_schedule::ring ? around_the_ring(peers, place, chunk) : by_doubling(peers, place);
}

} // namespace troupe
