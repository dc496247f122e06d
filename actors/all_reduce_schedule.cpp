#include "actors/all_reduce_schedule.hpp"

#include <algorithm>
#include <bit>

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

// Peers are as many as a power of two, but for those that others speak for: the first of each pair.
struct power_of_two {
  uint32_t power;
  uint32_t pairs;

  explicit power_of_two(uint32_t peers) : power(std::bit_floor(peers)), pairs(peers - power) {}

  [[nodiscard]] bool paired(uint32_t place) const { return place < 2 * pairs; }
  [[nodiscard]] uint32_t number(uint32_t place) const { return paired(place) ? place / 2 : place - pairs; }
  [[nodiscard]] uint32_t place(uint32_t number) const { return number < pairs ? 2 * number + 1 : number + pairs; }

  // `among` is what those of the power of two do in rounds from 1 to before `last`.
  template <class Among>
  std::vector<exchange> exchanges(uint32_t place, uint32_t last, uint32_t pieces, const Among& among) const {
    auto result = std::vector<exchange>{{own}};
    if (paired(place) && place % 2 == 0) {
      result.push_back({send, 0, place + 1, 0, 0, pieces});
      result.push_back({take, last, place + 1, 0, 0, pieces});
      return result;
    }
    if (paired(place)) {
      result.push_back({take, 0, place - 1, 0, 0, pieces});
      result.push_back({add});
    }
    among(number(place), result);
    if (paired(place))
      result.push_back({send, last, place - 1, 0, 0, pieces});
    return result;
  }
};

std::vector<exchange> by_doubling(uint32_t peers, uint32_t place) {
  auto all = power_of_two{peers};
  auto last = static_cast<uint32_t>(std::bit_width(all.power));
  return all.exchanges(place, last, 1, [&](uint32_t number, std::vector<exchange>& result) {
    for (uint32_t k = 0; 1u << k < all.power; ++k) {
      auto peer = all.place(number ^ 1u << k);
      result.push_back({send, k + 1, peer});
      result.push_back({take, k + 1, peer});
      result.push_back({add});
    }
  });
}

std::vector<exchange> by_halving(uint32_t peers, uint32_t place) {
  auto all = power_of_two{peers};
  auto last = 2 * static_cast<uint32_t>(std::bit_width(all.power)) - 1;
  return all.exchanges(place, last, all.power, [&](uint32_t number, std::vector<exchange>& result) {
    uint32_t round = 1;
    for (auto half = all.power / 2; half > 0; half /= 2, ++round) {
      auto peer = all.place(number ^ half);
      auto mine = number / half * half;
      auto other = mine ^ half;
      result.push_back({send, round, peer, 0, other, other + half});
      result.push_back({take, round, peer, 0, mine, mine + half});
      result.push_back({add});
    }
    for (auto whole = 1u; whole < all.power; whole *= 2, ++round) {
      auto peer = all.place(number ^ whole);
      auto mine = number / whole * whole;
      auto other = mine ^ whole;
      result.push_back({send, round, peer, 0, mine, mine + whole});
      result.push_back({take, round, peer, 0, other, other + whole});
      result.push_back({join});
    }
  });
}

constexpr uint32_t many_peers = 8;
constexpr size_t doubling_below = size_t{1} << 19; // floats

// Of a step between hosts, by the formulas of Thakur et al.: so much for each round, so much for each float.
double seconds_by(all_reduce_schedule how, size_t floats, uint32_t peers) {
  constexpr auto round = 1e-4;
  constexpr auto one = 4e-9;
  auto n = static_cast<double>(floats);
  auto around = [](double w) { return 2 * (w - 1) / w; };
  auto power = std::bit_floor(peers);
  auto doublings = static_cast<double>(std::bit_width(power) - 1);
  auto pairs = power == peers ? 0 : 2 * (round + n * one);
  if (how == all_reduce_schedule::doubling)
    return doublings * (round + n * one) + pairs;
  if (how == all_reduce_schedule::halving)
    return 2 * doublings * round + around(power) * n * one + pairs;
  return 2.0 * (peers - 1) * round + around(peers) * n * one;
}

} // namespace

all_reduce_schedule schedule_of(size_t floats, uint32_t peers) {
  using enum all_reduce_schedule;
  if (peers < many_peers)
    return floats < (peers <= 2 ? 4 : 1) * doubling_below ? doubling : pairwise;
  return std::min({doubling, halving, ring},
                  [&](auto a, auto b) { return seconds_by(a, floats, peers) < seconds_by(b, floats, peers); });
}

uint32_t chunks_of(all_reduce_schedule how, uint32_t peers) {
  return how == all_reduce_schedule::doubling || how == all_reduce_schedule::halving ? 1 : peers;
}

uint32_t pieces_of(all_reduce_schedule how, uint32_t peers) {
  return how == all_reduce_schedule::halving ? std::bit_floor(peers) : 1;
}

std::vector<exchange> exchanges_of(all_reduce_schedule how, uint32_t peers, uint32_t place, uint32_t chunk) {
  switch (how) {
  case all_reduce_schedule::ring:
    return around_the_ring(peers, place, chunk);
  case all_reduce_schedule::doubling:
    return by_doubling(peers, place);
  case all_reduce_schedule::halving:
    return by_halving(peers, place);
  case all_reduce_schedule::pairwise:
    break;
  }
  auto tree = sum_tree{peers};
  auto all = std::vector<contribution>{};
  for (uint32_t i = 0; i < peers; ++i)
    all.push_back({tree.leaf(i), i});
  return pairwise_exchanges(tree, all, peers, place, chunk);
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
