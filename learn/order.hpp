#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "learn/exchange.hpp"

namespace troupe::learn {

enum class order_kind : uint8_t { shuffled, sequential };

/// Sizes of a job's steps.
struct batch_sizes {
  size_t samples = 0;     ///< in the training set
  size_t batch = 0;       ///< samples per step
  size_t micro_batch = 0; ///< samples per micro-batch, divides batch
};

/// The order of samples: which sample stands at a position of an epoch. A pure function of (kind, seed, epoch, size)
/// and, where the set is cut into shards, of the exchange and the sizes of steps (R5). Whatever it is, each sample
/// stands at one position (I1).
class sample_order {
public:
  sample_order(order_kind kind, uint64_t seed, size_t samples);
  /// Micro-batches have the samples of their slot's shard, in an order of the shard's own. Where a shard has run out,
  /// at the end of an epoch, they take those of the shard that has most left.
  sample_order(order_kind kind, uint64_t seed, const batch_sizes& sizes, const exchange_options& exchange);
  /// The permutation of an epoch (from 0); `result[position]` is the sample id.
  [[nodiscard]] std::vector<uint32_t> of_epoch(uint64_t epoch) const;

private:
  [[nodiscard]] std::vector<uint32_t> of_shard(size_t shard, uint64_t epoch) const;
  [[nodiscard]] std::vector<uint32_t> of_all_shards(uint64_t epoch) const;

  order_kind kind_;
  uint64_t seed_;
  batch_sizes sizes_;
  exchange_options exchange_;
};

/// Which part of an epoch a micro-batch covers.
struct position_range {
  uint64_t epoch = 0;
  size_t first = 0; ///< position in the epoch
  size_t last = 0;  ///< one past
};

/// Steps of one epoch; the last one may be short, so that every sample takes effect exactly once per epoch (I1).
size_t steps_per_epoch(const batch_sizes& sizes);
/// Samples of a step (from 0, over the whole run): the batch, or less in the last step of an epoch.
size_t samples_of_step(const batch_sizes& sizes, uint64_t step);
/// Micro-batches of a step; the last one may be short.
size_t micro_batches_of_step(const batch_sizes& sizes, uint64_t step);
/// Positions of micro-batch `index` of `step`.
position_range positions(const batch_sizes& sizes, uint64_t step, size_t index);

} // namespace troupe::learn
