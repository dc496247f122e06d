#include "learn/order.hpp"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <utility>

#include "learn/draws.hpp"

namespace troupe::learn {

namespace {

size_t divide_up(size_t a, size_t b) {
  return a / b + (a % b != 0);
}

// Fisher–Yates by hand: std::shuffle and the standard distributions differ between libraries.
void shuffle(std::vector<uint32_t>& ids, draws random) {
  for (size_t left = ids.size(); left > 1; --left)
    std::swap(ids[left - 1], ids[random.below(static_cast<uint32_t>(left))]);
}

} // namespace

sample_order::sample_order(order_kind kind, uint64_t seed, size_t samples)
  : sample_order(kind, seed, {.samples = samples, .batch = samples, .micro_batch = samples}, {}) {}

sample_order::sample_order(order_kind kind, uint64_t seed, const batch_sizes& sizes, const exchange_options& exchange)
  : kind_(kind), seed_(seed), sizes_(sizes), exchange_(exchange) {
  assert(sizes.samples <= UINT32_MAX && exchange.shards > 0);
}

std::vector<uint32_t> sample_order::of_epoch(uint64_t epoch) const {
  if (exchange_.has_shards())
    return of_all_shards(epoch);
  std::vector<uint32_t> ids(sizes_.samples);
  std::iota(ids.begin(), ids.end(), 0u);
  if (kind_ == order_kind::shuffled)
    shuffle(ids, {seed_, purpose::sample_order, static_cast<uint32_t>(epoch), static_cast<uint32_t>(epoch >> 32)});
  return ids;
}

std::vector<uint32_t> sample_order::of_shard(size_t shard, uint64_t epoch) const {
  const id_range range = ids_of_shard(sizes_.samples, exchange_.shards, shard);
  std::vector<uint32_t> ids(range.last - range.first);
  std::iota(ids.begin(), ids.end(), static_cast<uint32_t>(range.first));
  if (kind_ == order_kind::shuffled)
    shuffle(ids, {seed_, purpose::shard_order, static_cast<uint32_t>(epoch), static_cast<uint32_t>(shard)});
  return ids;
}

std::vector<uint32_t> sample_order::of_all_shards(uint64_t epoch) const {
  std::vector<std::vector<uint32_t>> left; // of each shard, the next sample last
  for (size_t shard = 0; shard < exchange_.shards; ++shard) {
    left.push_back(of_shard(shard, epoch));
    std::reverse(left.back().begin(), left.back().end());
  }
  std::vector<uint32_t> ids;
  ids.reserve(sizes_.samples);
  const auto shorter = [](const auto& a, const auto& b) { return a.size() < b.size(); };
  const size_t steps = steps_per_epoch(sizes_);
  for (uint64_t step = epoch * steps; step < (epoch + 1) * steps; ++step) {
    const auto parts = parts_of_slots(sizes_, exchange_.shards, step);
    for (size_t slot = 0; slot < exchange_.shards; ++slot) {
      auto* from = &left[shard_of_slot(exchange_, slot, epoch)];
      for (size_t m = parts[slot]; m < parts[slot + 1]; ++m) {
        const position_range where = positions(sizes_, step, m);
        for (size_t n = where.first; n < where.last; ++n) {
          if (from->empty())
            from = &*std::max_element(left.begin(), left.end(), shorter);
          ids.push_back(from->back());
          from->pop_back();
        }
      }
    }
  }
  return ids;
}

size_t steps_per_epoch(const batch_sizes& sizes) {
  return divide_up(sizes.samples, sizes.batch);
}

size_t samples_of_step(const batch_sizes& sizes, uint64_t step) {
  const size_t first = step % steps_per_epoch(sizes) * sizes.batch;
  return std::min(sizes.batch, sizes.samples - first);
}

size_t micro_batches_of_step(const batch_sizes& sizes, uint64_t step) {
  return divide_up(samples_of_step(sizes, step), sizes.micro_batch);
}

position_range positions(const batch_sizes& sizes, uint64_t step, size_t index) {
  const size_t steps = steps_per_epoch(sizes);
  const size_t begin = step % steps * sizes.batch;
  const size_t end = begin + samples_of_step(sizes, step);
  const size_t first = begin + index * sizes.micro_batch;
  assert(first < end);
  return {step / steps, first, std::min(first + sizes.micro_batch, end)};
}

} // namespace troupe::learn
