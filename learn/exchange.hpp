#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace troupe::learn {

struct batch_sizes;

/// Who has which samples. With `fixed` and `rotating` the training set is cut into shards, and a run has a slot for
/// each: an agent's micro-batches have the samples of one shard, always the same one, or each epoch the next one.
enum class exchange_kind : uint8_t { global, fixed, rotating };

/// "global", "static" or "rotate".
std::string to_string(exchange_kind kind);

struct exchange_options {
  exchange_kind kind = exchange_kind::global;
  size_t shards = 1; ///< and slots, whoever is there: the samples of a micro-batch depend on it

  [[nodiscard]] bool has_shards() const { return kind != exchange_kind::global; }
  bool operator==(const exchange_options&) const = default;
};

/// A shard is a run of sample ids, [first, last); shards differ by one sample at most.
struct id_range {
  size_t first = 0;
  size_t last = 0;
};
id_range ids_of_shard(size_t samples, size_t shards, size_t shard);

/// Which shard the agent in a slot works on.
size_t shard_of_slot(const exchange_options& how, size_t slot, uint64_t epoch);

/// How a step's micro-batches are spread over the slots: the first one of each slot's part, and one past the last of
/// all. Where they do not divide, the slots with one more change from step to step, so that shards run out together.
std::vector<size_t> parts_of_slots(const batch_sizes& sizes, size_t slots, uint64_t step);

} // namespace troupe::learn
