#include "actors/all_reduce_schedule.hpp"

#include <bit>
#include <cassert>

namespace troupe {
namespace {

using enum exchange::kind;

std::vector<exchange> around_the_ring(uint32_t peers, uint32_t place, uint32_t chunk) {
  auto next = (place + 1) % peers;
  auto previous = (place + peers - 1) % peers;
  auto hops = (place + peers - chunk - 1) % peers; // from where the chunk starts
  auto result = std::vector<exchange>{{own}};
  if (hops > 0) {
    result.push_back({take, hops - 1, previous});
    result.push_back({add});
  }
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
    return {{own}, {send, 0, place + 1}, {take, last, place + 1}};
  auto result = std::vector<exchange>{{own}};
  if (paired) {
    result.push_back({take, 0, place - 1});
    result.push_back({add});
  }
  auto number = paired ? place / 2 : place - pairs;
  for (uint32_t k = 0; 1u << k < power; ++k) {
    auto partner = number ^ 1u << k;
    auto peer = partner < pairs ? 2 * partner + 1 : partner + pairs;
    result.push_back({send, k + 1, peer});
    result.push_back({take, k + 1, peer});
    result.push_back({add});
  }
  if (paired)
    result.push_back({send, last, place - 1});
  return result;
}

} // namespace

all_reduce_schedule schedule_of(size_t floats) {
  return floats < usual_doubling_below ? all_reduce_schedule::doubling : all_reduce_schedule::ring;
}

uint32_t chunks_of(all_reduce_schedule how, uint32_t peers) {
  return how == all_reduce_schedule::doubling ? 1 : peers;
}

std::vector<exchange> exchanges_of(all_reduce_schedule how, uint32_t peers, uint32_t place, uint32_t chunk) {
  assert(how != all_reduce_schedule::pairwise);
  return how == all_reduce_schedule::ring ? around_the_ring(peers, place, chunk) : by_doubling(peers, place);
}

std::vector<exchange> pairwise_exchanges(const sum_tree& tree, const std::vector<contribution>& all, uint32_t peers,
                                         uint32_t place, uint32_t chunk) {
  using enum exchange::kind; // hides what sends messages
  auto result = std::vector<exchange>{};
  auto behind = static_cast<uint32_t>(all.size()); // the round of the sum
  auto there = partial_sums{tree.leaves()};
  uint32_t part = 0;
  for (uint32_t i = 0; i < behind; ++i) {
    auto mine = all[i].place == place;
    if (mine)
      result.push_back({own, 0, 0, part++});
    if (mine && place != chunk)
      result.push_back({send, i, chunk});
    if (!mine && place == chunk)
      result.push_back({take, i, all[i].place});
    if (place == chunk) // what a node is added to, is the one before
      result.resize(result.size() + there.insert(all[i].node).merges.size(), {add});
  }
  if (place != chunk)
    result.push_back({take, behind, chunk});
  else
    for (uint32_t i = 1; i < peers; ++i)
      result.push_back({send, behind, (place + i) % peers});
  return result;
}

} // namespace troupe
