#include "actors/hash_ring.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>

#include "gpu/kernels/philox.hpp"

namespace troupe {
namespace {

enum class kind : uint32_t { host = 1, key = 2 };

uint64_t point(kind what, uint32_t id, uint32_t copy) {
  auto words = gpu::philox4x32({id, copy, static_cast<uint32_t>(what), 0}, {0, 0});
  return uint64_t{words[0]} << 32 | words[1];
}

} // namespace

void hash_ring::add(uint32_t host) {
  if (!hosts_.insert(host).second)
    return;
  for (uint32_t copy = 0; copy < points_; ++copy)
    circle_.emplace(std::pair{point(kind::host, host, copy), host}, host);
}

void hash_ring::remove(uint32_t host) {
  hosts_.erase(host);
  std::erase_if(circle_, [&](auto& x) { return x.second == host; });
}

std::vector<uint32_t> hash_ring::walk(uint32_t key) const {
  assert(!hosts_.empty());
  auto result = std::vector<uint32_t>{};
  auto begin = circle_.lower_bound({point(kind::key, key, 0), 0});
  auto take = [&](auto first, auto last) {
    for (; first != last && result.size() < hosts_.size(); ++first)
      if (std::find(result.begin(), result.end(), first->second) == result.end())
        result.push_back(first->second);
  };
  take(begin, circle_.end());
  take(circle_.begin(), begin);
  return result;
}

std::vector<uint32_t> hash_ring::place(uint32_t keys, const std::vector<uint32_t>& before) const {
  assert(!hosts_.empty());
  auto n = static_cast<uint32_t>(hosts_.size());
  auto most = std::max((keys + n - 1) / n, static_cast<uint32_t>(uint64_t{keys} * 11 / 10 / n));
  auto least = keys / n;
  auto result = std::vector<uint32_t>(keys);
  auto load = std::map<uint32_t, uint32_t>{};
  auto homeless = std::vector<uint32_t>{};
  for (uint32_t key = 0; key < keys; ++key)
    if (key < before.size() && hosts_.contains(before[key]))
      ++load[result[key] = before[key]];
    else
      homeless.push_back(key);
  auto settle = [&](uint32_t key) {
    auto order = walk(key);
    auto below = [&](uint32_t limit) {
      return std::find_if(order.begin(), order.end(), [&](uint32_t h) { return load[h] < limit; });
    };
    auto host = before.empty() ? order.end() : below(least);
    ++load[result[key] = host == order.end() ? *below(most) : *host];
  };
  for (auto key : homeless)
    settle(key);
  for (auto host : hosts_) {
    if (load[host] >= least)
      continue;
    // Keys that like it best, of hosts that have more than their part.
    auto liking = std::vector<std::pair<std::ptrdiff_t, uint32_t>>{};
    for (uint32_t key = 0; key < keys; ++key) {
      auto order = walk(key);
      liking.emplace_back(std::find(order.begin(), order.end(), host) - order.begin(), key);
    }
    std::sort(liking.begin(), liking.end());
    for (auto above : {most, least + 1, least})
      for (auto& [rank, key] : liking)
        if (load[host] < least && load[result[key]] > above) {
          --load[result[key]];
          ++load[result[key] = host];
        }
  }
  for (uint32_t key = 0; key < keys; ++key)
    if (load[result[key]] > most) {
      --load[result[key]];
      settle(key);
    }
  return result;
}

} // namespace troupe
