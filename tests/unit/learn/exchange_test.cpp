#include "learn/exchange.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <set>

#include "learn/order.hpp"

using namespace troupe::learn;

namespace {

constexpr exchange_options fixed(size_t shards) {
  return {exchange_kind::fixed, shards};
}
constexpr exchange_options rotating(size_t shards) {
  return {exchange_kind::rotating, shards};
}

size_t shard_of(uint32_t id, size_t samples, size_t shards) {
  for (size_t shard = 0; shard < shards; ++shard)
    if (const auto range = ids_of_shard(samples, shards, shard); id >= range.first && id < range.last)
      return shard;
  return shards;
}

/// How many samples of an epoch are not of the shard that their micro-batch's slot works on.
size_t strangers(const batch_sizes& sizes, const exchange_options& how, uint64_t epoch) {
  const auto order = sample_order{order_kind::shuffled, 5, sizes, how}.of_epoch(epoch);
  size_t result = 0;
  const auto steps = steps_per_epoch(sizes);
  for (auto step = epoch * steps; step < (epoch + 1) * steps; ++step) {
    const auto parts = parts_of_slots(sizes, how.shards, step);
    for (size_t slot = 0; slot < how.shards; ++slot)
      for (auto m = parts[slot]; m < parts[slot + 1]; ++m)
        for (auto n = positions(sizes, step, m).first; n < positions(sizes, step, m).last; ++n)
          result += shard_of(order[n], sizes.samples, how.shards) != shard_of_slot(how, slot, epoch);
  }
  return result;
}

} // namespace

TEST_CASE(
  "an epoch holds every sample exactly once, however many shards there are and whether or not they divide (I1)") {
  for (const auto& sizes :
       {batch_sizes{96, 24, 4}, batch_sizes{50, 20, 4}, batch_sizes{101, 24, 3}, batch_sizes{7, 8, 1}})
    for (size_t shards = 1; shards <= 8; ++shards)
      for (const auto kind : {exchange_kind::fixed, exchange_kind::rotating})
        for (const auto order : {order_kind::shuffled, order_kind::sequential})
          for (uint64_t epoch = 0; epoch < 3; ++epoch) {
            auto ids = sample_order{order, 3, sizes, {kind, shards}}.of_epoch(epoch);
            REQUIRE(ids.size() == sizes.samples);
            std::sort(ids.begin(), ids.end());
            for (size_t i = 0; i < ids.size(); ++i)
              REQUIRE(ids[i] == i);
          }
}

TEST_CASE(
  "where sizes divide, each slot has its shard's samples and no other, with rotate each epoch the next shard's") {
  constexpr batch_sizes sizes{.samples = 96, .batch = 24, .micro_batch = 4};
  for (uint64_t epoch = 0; epoch < 5; ++epoch) {
    CHECK(strangers(sizes, fixed(3), epoch) == 0);
    CHECK(strangers(sizes, rotating(3), epoch) == 0);
    for (size_t slot = 0; slot < 3; ++slot) {
      CHECK(shard_of_slot(fixed(3), slot, epoch) == slot);
      CHECK(shard_of_slot(rotating(3), slot, epoch) == (slot + epoch) % 3);
    }
  }
}

TEST_CASE("where sizes do not divide, what shards have left over at the end of an epoch is about a micro-batch each") {
  constexpr batch_sizes sizes{.samples = 10'007, .batch = 128, .micro_batch = 16}; // 8 micro-batches a step
  for (const size_t shards : {3u, 5u, 6u, 7u})
    for (uint64_t epoch = 0; epoch < 3; ++epoch)
      CHECK(strangers(sizes, rotating(shards), epoch) <= 2 * sizes.micro_batch * shards);
}

TEST_CASE("the parts of the slots follow each other and are a step's micro-batches; with too few some have none") {
  constexpr batch_sizes sizes{.samples = 50, .batch = 20, .micro_batch = 4}; // 5, 5 and 3 micro-batches
  CHECK(parts_of_slots(sizes, 2, 0) == std::vector<size_t>{0, 3, 5});
  CHECK(parts_of_slots(sizes, 2, 1) == std::vector<size_t>{0, 2, 5});
  CHECK(parts_of_slots(sizes, 2, 2) == std::vector<size_t>{0, 2, 3});
  CHECK(parts_of_slots(sizes, 2, 3) == parts_of_slots(sizes, 2, 0)); // each epoch begins alike
  const auto few = parts_of_slots(sizes, 5, 2);
  CHECK(few.front() == 0);
  CHECK(few.back() == 3);
  CHECK(std::is_sorted(few.begin(), few.end()));
}

TEST_CASE("a shard has an order of its own each epoch, which does not depend on the slot that works on it") {
  constexpr batch_sizes sizes{.samples = 96, .batch = 24, .micro_batch = 4};
  const auto order = [&](const exchange_options& how, uint64_t seed, uint64_t epoch) {
    return sample_order{order_kind::shuffled, seed, sizes, how}.of_epoch(epoch);
  };
  CHECK(order(fixed(3), 1, 0) == order(fixed(3), 1, 0));
  CHECK(order(fixed(3), 1, 0) == order(rotating(3), 1, 0)); // nothing has moved yet
  CHECK(order(fixed(3), 1, 0) != order(fixed(3), 1, 1));
  CHECK(order(fixed(3), 1, 0) != order(fixed(3), 2, 0));
  CHECK(order(fixed(3), 1, 0) != order(fixed(2), 1, 0));
  const auto of_shard = [&](const std::vector<uint32_t>& ids, size_t shard) {
    auto result = std::vector<uint32_t>{};
    std::copy_if(ids.begin(), ids.end(), std::back_inserter(result),
                 [&](uint32_t id) { return shard_of(id, sizes.samples, 3) == shard; });
    return result;
  };
  for (size_t shard = 0; shard < 3; ++shard)
    CHECK(of_shard(order(fixed(3), 1, 1), shard) == of_shard(order(rotating(3), 1, 1), shard));
}

TEST_CASE("policies are called by their names") {
  CHECK(to_string(exchange_kind::global) == "global");
  CHECK(to_string(exchange_kind::fixed) == "static");
  CHECK(to_string(exchange_kind::rotating) == "rotate");
}
