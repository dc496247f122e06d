#include "actors/shard_vault.hpp"

#include <utility>

namespace troupe {

uint64_t shard_vault::claim(uint32_t shard) {
  auto guard = std::lock_guard{mutex_};
  return ++claims_[shard];
}

bool shard_vault::admits(uint32_t shard, fencing_token token) {
  auto guard = std::lock_guard{mutex_};
  return fences_[shard].accepts(token);
}

std::shared_ptr<shard_vault::update> shard_vault::begin(uint32_t shard, uint64_t claim) {
  auto guard = std::lock_guard{mutex_};
  if (claims_[shard] != claim)
    return nullptr;
  commits_.erase(shard);
  ++under_way_[shard];
  return std::make_shared<update>(shared_from_this(), shard);
}

void shard_vault::settle(uint32_t shard, std::optional<commit> made) {
  auto waiting = std::vector<std::function<void()>>{};
  {
    auto guard = std::lock_guard{mutex_};
    if (made)
      put(shard, std::move(*made));
    if (--under_way_[shard] == 0)
      waiting = std::exchange(waiting_[shard], {});
  }
  for (auto& then : waiting)
    then();
}

void shard_vault::when_settled(uint32_t shard, std::function<void()> then) {
  {
    auto guard = std::lock_guard{mutex_};
    if (under_way_[shard] != 0) {
      waiting_[shard].push_back(std::move(then));
      return;
    }
  }
  then();
}

bool shard_vault::keep(uint32_t shard, uint64_t claim, commit what) {
  auto guard = std::lock_guard{mutex_};
  if (claims_[shard] != claim)
    return false;
  put(shard, std::move(what));
  return true;
}

void shard_vault::put(uint32_t shard, commit what) {
  std::erase_if(sums_[shard], [&](auto& x) { return x.second.since < what.since || what.applied.contains(x.first); });
  commits_.insert_or_assign(shard, std::move(what));
}

bool shard_vault::keep_sums(uint32_t shard, uint64_t claim, step at, sums what) {
  auto guard = std::lock_guard{mutex_};
  if (claims_[shard] != claim)
    return false;
  sums_[shard].insert_or_assign(at, std::move(what));
  return true;
}

std::map<step, shard_vault::sums> shard_vault::find_sums(uint32_t shard) const {
  auto guard = std::lock_guard{mutex_};
  auto i = sums_.find(shard);
  return i == sums_.end() ? std::map<step, sums>{} : i->second;
}

bool shard_vault::forget(uint32_t shard, uint64_t claim) {
  auto guard = std::lock_guard{mutex_};
  if (claims_[shard] != claim)
    return false;
  sums_.erase(shard);
  return commits_.erase(shard) > 0;
}

std::optional<shard_vault::commit> shard_vault::find(uint32_t shard) const {
  auto guard = std::lock_guard{mutex_};
  auto i = commits_.find(shard);
  return i == commits_.end() ? std::nullopt : std::optional{i->second};
}

void shard_vault::clear() {
  auto guard = std::lock_guard{mutex_};
  commits_.clear();
  sums_.clear();
}

} // namespace troupe
