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

} // namespace

sample_order::sample_order(order_kind kind, uint64_t seed, size_t samples)
  : kind_(kind), seed_(seed), samples_(samples) {
  assert(samples <= UINT32_MAX);
}

std::vector<uint32_t> sample_order::of_epoch(uint64_t epoch) const {
  std::vector<uint32_t> ids(samples_);
  std::iota(ids.begin(), ids.end(), 0u);
  if (kind_ == order_kind::sequential)
    return ids;
  // Fisher–Yates by hand: std::shuffle and the standard distributions differ between libraries.
  draws random{seed_, purpose::sample_order, static_cast<uint32_t>(epoch), static_cast<uint32_t>(epoch >> 32)};
  for (size_t left = samples_; left > 1; --left)
    std::swap(ids[left - 1], ids[random.below(static_cast<uint32_t>(left))]);
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
