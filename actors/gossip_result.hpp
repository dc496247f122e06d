#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "actors/peer_core.hpp"
#include "actors/placement.hpp"
#include "gpu/stream.hpp"
#include "learn/layout.hpp"
#include "learn/optimizer.hpp"
#include "messages/gossip.hpp"
#include "messages/payload.hpp"

namespace troupe {

/// The numbers behind a `gossip_core`: what a step makes of a replica, bucket by bucket. Nothing that the replica is
/// now is written to, so a step can begin anew. What partners are sent lies where other processes of the host can read
/// it in place. Owned by one actor; all work is done on its stream, in the order of the calls.
class gossip_result {
public:
  gossip_result(std::vector<peer_bucket> buckets, const placement& places, const learn::layout& layout);

  /// What a step begins with.
  struct basis {
    payload values;
    std::vector<payload> state;
    learn::optimizer_options optimizer;
    learn::update_point at;
    /// What makes the own part of the batch's statistics the mean over the own samples; 0: there are none of them.
    float own_share = 1;
    bool alone = false;      ///< nobody is met: the update is the result
    bool with_state = false; ///< the optimiser's state is averaged, too
  };

  /// Forgets the step. What the stream still works on keeps what it needs.
  void begin(basis what);
  /// The update of a bucket with its gradient, for partners to be sent.
  void adapt(gpu::stream& s, uint32_t bucket, const payload& gradient);
  /// What was made of a bucket by `adapt`.
  void fill(gossip_parameters& p) const;
  /// The mean of the own bucket and of those at other places, in the order of places.
  void mix(gpu::stream& s, uint32_t bucket, uint32_t place, const std::map<uint32_t, gossip_parameters>& with);

  [[nodiscard]] const payload& values() const { return values_; }
  [[nodiscard]] const std::vector<payload>& state() const { return state_; }
  /// Of the own gradient, block by block, once the stream is past all buckets.
  [[nodiscard]] const std::vector<block_norm>& norms() const { return *norms_; }

private:
  struct part {
    payload values;
    std::vector<payload> state;
  };

  [[nodiscard]] size_t offset(uint32_t bucket) const { return offsets_[buckets_[bucket].blocks.front().value]; }

  std::vector<peer_bucket> buckets_;
  std::vector<size_t> offsets_; // by block
  std::vector<learn::block> blocks_;
  basis from_;
  payload values_;
  std::vector<payload> state_;
  std::map<uint32_t, part> own_;
  std::shared_ptr<std::vector<block_norm>> norms_ = std::make_shared<std::vector<block_norm>>();
};

} // namespace troupe
