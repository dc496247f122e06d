#include "actors/shard_mover.hpp"

#include <chrono>
#include <fmt/format.h>
#include <utility>

namespace troupe {
namespace {

using namespace std::chrono_literals;

// A leader that is gone keeps a shard where it is for at most its lease.
constexpr auto lease = 3s;
constexpr auto wait = 10s;

} // namespace

std::string shard_mover::lock_of(uint32_t shard) {
  return fmt::format("shard:{}", shard);
}

std::multimap<uint32_t, role_id> shard_mover::to_move() const {
  auto result = std::multimap<uint32_t, role_id>{};
  for (auto shard : placer_->holders_to_move())
    result.emplace(shard, role_id{"shard_holder", shard});
  for (auto shard : placer_->replicas_to_move())
    result.emplace(shard, role_id{"shard_replica", shard});
  return result;
}

void shard_mover::look() {
  auto wanted = to_move();
  std::erase_if(locks_wanted_, [&](auto shard) {
    auto done = !wanted.contains(shard);
    if (done)
      locks_.release(lock_of(shard));
    return done;
  });
  for (auto& [shard, role] : wanted)
    if (auto token = locks_.holds(lock_of(shard)))
      ports_.tell(role, *token);
  for (auto i = wanted.begin(); i != wanted.end(); i = wanted.upper_bound(i->first))
    if (!locks_wanted_.contains(i->first))
      ask(i->first);
}

void shard_mover::ask(uint32_t shard) {
  locks_wanted_.insert(shard);
  locks_.acquire(
    {lock_of(shard), lease, wait},
    [this, shard](const expected<fencing_token>& token) {
      if (token) {
        noted_ = false;
        return look();
      }
      locks_wanted_.erase(shard);
      if (!std::exchange(noted_, true))
        ports_.note(fmt::format("shard {} stays where it is for now: {}", shard, token.error().sentence));
    },
    [this, shard] { locks_wanted_.erase(shard); });
}

} // namespace troupe
