// What a shard holder does where a robust rule takes the place of the sum.

#include <algorithm>
#include <cmath>

#include "actors/shard_holder.hpp"
#include "gpu/kernels/reduce.hpp"

namespace troupe {

// What a robust rule makes of the contributions takes the place of their sum, except Krum's, which needs to know those
// to all blocks.
void shard_holder::combine(step at, block_id id) {
  auto all = std::make_shared<contributions>(contributions_to(at, id));
  auto how = config_.job->combine();
  auto n = block(id).size;
  if (how.kind == learn::combine_kind::krum) {
    stream_.enqueue([this, now = now_, n, at, id, begun = core_.rewound(), all] {
      auto apart = learn::squared_distances(n, all->pointers(), all->factors);
      auto finite =
        all->values.size() == 1 || std::any_of(apart.begin(), apart.end(), [](double d) { return std::isfinite(d); });
      now.post([this, at, begun, norm = block_norm{id, 0, finite, std::move(apart)}] { measured(at, begun, norm); });
    });
    return;
  }
  auto result = payload::floats(n);
  stream_.enqueue([how, n, all, result]() mutable {
    learn::combine(how, n, all->pointers(), all->factors, result.mutable_floats().data());
  });
  forget_sums_of(at, id);
  sums_[{at, id, all->root}] = std::move(result);
  measure(at, id);
}

shard_holder::contributions shard_holder::contributions_to(step at, block_id id) const {
  auto sizes = config_.job->sizes();
  auto samples = static_cast<float>(learn::samples_of_step(sizes, at.value));
  auto result = contributions{};
  auto tree = sum_tree{learn::micro_batches_of_step(sizes, at.value)};
  result.root = tree.root();
  auto bucket = config_.job->combine().bucket_size();
  for (uint64_t first = 0; first < tree.leaves(); first += bucket) {
    auto last = std::min(first + bucket, tree.leaves());
    auto positions = learn::positions(sizes, at.value, last - 1).last - learn::positions(sizes, at.value, first).first;
    result.values.push_back(sums_.at({at, id, tree.cover(first, last).front()}));
    result.factors.push_back(samples / static_cast<float>(positions));
  }
  return result;
}

// Of what Krum has looked at, one contribution stays, as large as if all were like it.
void shard_holder::choose(step at, uint64_t chosen) {
  for (auto i : config_.job->shards.blocks(shard_)) {
    auto b = block_id{i};
    auto all = contributions_to(at, b);
    auto result = payload::floats(block(b).size);
    stream_.enqueue([from = all.values.at(chosen), factor = all.factors.at(chosen), result]() mutable {
      gpu::kernels::copy(result.elements(), from.as_floats().data(), result.mutable_floats().data());
      gpu::kernels::scale(result.elements(), factor, result.mutable_floats().data());
    });
    forget_sums_of(at, b);
    sums_[{at, b, all.root}] = std::move(result);
  }
}

} // namespace troupe
