#include "actors/shard_vault.hpp"

#include <utility>

namespace troupe {

void shard_vault::open(uint32_t shard) {
  auto guard = std::lock_guard{mutex_};
  commits_.erase(shard);
}

void shard_vault::keep(uint32_t shard, commit what) {
  auto guard = std::lock_guard{mutex_};
  commits_.insert_or_assign(shard, std::move(what));
}

std::optional<shard_vault::commit> shard_vault::find(uint32_t shard) const {
  auto guard = std::lock_guard{mutex_};
  auto i = commits_.find(shard);
  return i == commits_.end() ? std::nullopt : std::optional{i->second};
}

void shard_vault::clear() {
  auto guard = std::lock_guard{mutex_};
  commits_.clear();
}

} // namespace troupe
