#include "learn/exchange.hpp"

#include "learn/order.hpp"

namespace troupe::learn {

std::string to_string(exchange_kind kind) {
  switch (kind) {
  case exchange_kind::global:
    return "global";
  case exchange_kind::fixed:
    return "static";
  case exchange_kind::rotating:
    return "rotate";
  }
  return "?";
}

id_range ids_of_shard(size_t samples, size_t shards, size_t shard) {
  return {samples * shard / shards, samples * (shard + 1) / shards};
}

size_t shard_of_slot(const exchange_options& how, size_t slot, uint64_t epoch) {
  return how.kind == exchange_kind::rotating ? (slot + epoch) % how.shards : slot;
}

std::vector<size_t> parts_of_slots(const batch_sizes& sizes, size_t slots, uint64_t step) {
  const size_t in_epoch = step % steps_per_epoch(sizes);
  const size_t micro_batches = micro_batches_of_step(sizes, step);
  const size_t more = micro_batches % slots; // slots with one more: from here on, around
  const size_t from = in_epoch * (sizes.batch / sizes.micro_batch % slots) % slots;
  auto result = std::vector<size_t>{0};
  for (size_t slot = 0; slot < slots; ++slot)
    result.push_back(result.back() + micro_batches / slots + ((slot + slots - from) % slots < more ? 1 : 0));
  return result;
}

} // namespace troupe::learn
