#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "actors/lock_client.hpp"
#include "actors/shard_placer.hpp"
#include "messages/ids.hpp"

namespace troupe {

/// Has shards move to where they belong, each under a lock of its own: a shard is moved by one leader at a time, and
/// the word of one that has lost its lock, perhaps without noticing, comes with a lower token and is refused (I6).
/// Without its lock a shard stays where it is. Belongs to the actor that the lock client belongs to.
class shard_mover {
public:
  struct ports {
    /// Tells a shard holder or replica to hand over.
    std::function<void(const role_id&, fencing_token)> tell;
    /// Says why a shard is not moved, once until one is.
    std::function<void(const std::string&)> note;
  };

  shard_mover(std::shared_ptr<shard_placer> placer, lock_client& locks, ports p)
    : placer_(std::move(placer)), locks_(locks), ports_(std::move(p)) {}

  /// What has to move is told to; the locks of shards that are where they belong are released. Call it whenever either
  /// may have changed, and at a steady pace: words get lost.
  void look();

  static std::string lock_of(uint32_t shard);

private:
  [[nodiscard]] std::multimap<uint32_t, role_id> to_move() const;
  void ask(uint32_t shard);

  std::shared_ptr<shard_placer> placer_;
  lock_client& locks_;
  ports ports_;
  std::set<uint32_t> locks_wanted_; ///< asked for or held
  bool noted_ = false;
};

} // namespace troupe
