#include "actors/shard_placer.hpp"

#include <algorithm>
#include <utility>

namespace troupe {

shard_placer::shard_placer(uint32_t shards, const std::vector<host>& hosts, std::vector<uint32_t> nodes)
  : nodes_(std::move(nodes)), shards_(shards) {
  for (auto h : hosts)
    ring_.add(h);
  place_all();
}

void shard_placer::joined(host h) {
  auto guard = std::lock_guard{mutex_};
  if (ring_.hosts().contains(h))
    return;
  ring_.add(h);
  place_all();
}

void shard_placer::leaves(host h) {
  auto guard = std::lock_guard{mutex_};
  ring_.remove(h);
  place_all();
}

// A replica is kept where its shard would go if its holder's node went: a host that is alone there and goes then costs
// no copy of what it held. Where all are on one node, there is no better place than another of its processes.
void shard_placer::place_all() {
  auto n = static_cast<uint32_t>(shards_.size());
  auto places_on = [&](const hash_ring& ring, const std::vector<host>& before) {
    return ring.hosts().empty() ? std::vector<host>(n, home) : ring.place(n, before);
  };
  belongs_ = places_on(ring_, belongs_);
  successors_.assign(n, home);
  for (auto h : ring_.hosts()) {
    auto without = ring_;
    for (auto other : ring_.hosts())
      if (node_of(other) == node_of(h))
        without.remove(other);
    if (without.hosts().empty()) {
      without = ring_;
      without.remove(h);
    }
    auto then = places_on(without, belongs_);
    for (uint32_t i = 0; i < n; ++i)
      if (belongs_[i] == h)
        successors_[i] = then[i];
  }
}

shard_placer::host shard_placer::home_of_replica(uint32_t shard) const {
  auto& holder = shards_[shard].holder;
  auto at = holder && *holder != belongs_[shard] ? belongs_[shard] : successors_[shard];
  return at == holder ? nowhere : at;
}

shard_placer::host shard_placer::start_holder(uint32_t shard) {
  auto guard = std::lock_guard{mutex_};
  auto& p = shards_[shard];
  p.holder = p.replica && p.replica->ready ? p.replica->at : belongs_[shard];
  return *p.holder;
}

shard_placer::host shard_placer::start_replica(uint32_t shard, incarnation number) {
  auto guard = std::lock_guard{mutex_};
  auto& p = shards_[shard];
  p.replica = copy{home_of_replica(shard), number};
  return p.replica->at;
}

void shard_placer::ready(uint32_t shard, incarnation number) {
  auto guard = std::lock_guard{mutex_};
  auto& p = shards_[shard];
  if (p.replica && p.replica->number <= number && p.replica->at != p.holder)
    p.replica->ready = true;
}

void shard_placer::nothing_ready() {
  auto guard = std::lock_guard{mutex_};
  for (auto& p : shards_)
    if (p.replica)
      p.replica->ready = false;
}

std::vector<uint32_t> shard_placer::holders_to_move() const {
  auto guard = std::lock_guard{mutex_};
  auto result = std::vector<uint32_t>{};
  for (uint32_t i = 0; i < shards_.size(); ++i) {
    auto& p = shards_[i];
    if (p.holder && *p.holder != belongs_[i] && p.replica && p.replica->ready && p.replica->at == belongs_[i])
      result.push_back(i);
  }
  return result;
}

// One that is well where it is stays, though another place would do as well.
std::vector<uint32_t> shard_placer::replicas_to_move() const {
  auto guard = std::lock_guard{mutex_};
  auto result = std::vector<uint32_t>{};
  for (uint32_t i = 0; i < shards_.size(); ++i) {
    auto& p = shards_[i];
    if (!p.replica)
      continue;
    auto useful = p.holder == belongs_[i] && p.replica->at != p.holder && ring_.hosts().contains(p.replica->at);
    if (useful && node_of(p.replica->at) == node_of(*p.holder))
      useful = node_of(successors_[i]) == node_of(*p.holder); // there is no other node
    if (!useful && p.replica->at != home_of_replica(i))
      result.push_back(i);
  }
  return result;
}

size_t shard_placer::load(host h) const {
  auto guard = std::lock_guard{mutex_};
  size_t result = 0;
  for (auto& p : shards_)
    result += static_cast<size_t>(p.holder == h) + static_cast<size_t>(p.replica && p.replica->at == h);
  return result;
}

shard_placer::host shard_placer::holder_at(uint32_t shard) const {
  auto guard = std::lock_guard{mutex_};
  return shards_[shard].holder.value_or(belongs_[shard]);
}

} // namespace troupe
