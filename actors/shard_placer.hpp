#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "actors/hash_ring.hpp"
#include "messages/ids.hpp"

namespace troupe {

/// Decides on which host each shard holder and its replica live, and which of them have to move: the placement of
/// shards on a consistent-hash ring of hosts. A holder moves only to where its replica has everything: it ends, and its
/// next incarnation starts there. A holder that was lost starts again at its replica, too. Thread-safe; one per job,
/// with its leader.
class shard_placer {
public:
  using host = uint32_t;

  /// The process of the leader, for what has no other place.
  static constexpr host home = UINT32_MAX;
  /// For a replica that has no place of its own: it waits.
  static constexpr host nowhere = UINT32_MAX - 1;

  /// `nodes`, by host: the machine on which it is, so that a holder and its replica are on two, if there are two.
  /// Empty: each is apart.
  shard_placer(uint32_t shards, const std::vector<host>& hosts, std::vector<uint32_t> nodes = {});

  void joined(host h);
  /// Its shards are to go elsewhere.
  void leaves(host h);

  /// Where a new incarnation starts. It does.
  host start_holder(uint32_t shard);
  host start_replica(uint32_t shard, incarnation number);
  /// The replica has what its holder has.
  void ready(uint32_t shard, incarnation number);
  /// The run went back: what replicas have is void.
  void nothing_ready();

  /// Holders that are not where they belong, and whose replicas there are ready.
  [[nodiscard]] std::vector<uint32_t> holders_to_move() const;
  /// Replicas that are of no use where they are.
  [[nodiscard]] std::vector<uint32_t> replicas_to_move() const;
  /// Shards and replicas that are there.
  [[nodiscard]] size_t load(host h) const;
  [[nodiscard]] host holder_at(uint32_t shard) const;

private:
  struct copy {
    host at;
    incarnation number;
    bool ready = false;
  };
  struct place {
    std::optional<host> holder;
    std::optional<copy> replica;
  };

  void place_all();
  [[nodiscard]] host home_of_replica(uint32_t shard) const;
  [[nodiscard]] uint32_t node_of(host h) const { return h < nodes_.size() ? nodes_[h] : h; }

  const std::vector<uint32_t> nodes_;
  mutable std::mutex mutex_;
  hash_ring ring_;
  std::vector<place> shards_;
  std::vector<host> belongs_;    ///< by shard, where the ring has it
  std::vector<host> successors_; ///< and where it would go if that host went, with its node
};

} // namespace troupe
