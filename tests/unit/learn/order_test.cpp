#include "learn/order.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <set>

#include "learn/draws.hpp"

using namespace troupe::learn;

TEST_CASE("Philox gives the known answers of its authors") {
  // Random123's kat_vectors: philox4x32 10.
  CHECK(troupe::gpu::philox4x32({0, 0, 0, 0}, {0, 0}) ==
        std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(troupe::gpu::philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a bounded draw reaches every number and none outside, about equally often") {
  draws random{7, purpose::sample_order, 0, 0};
  std::array<int, 6> seen{};
  for (int i = 0; i < 60'000; ++i) {
    const auto n = random.below(6);
    REQUIRE(n < 6);
    ++seen[n];
  }
  // Deviation of a count is 91; five of them.
  for (const int count : seen)
    CHECK(std::abs(count - 10'000) < 456);
}

TEST_CASE("an epoch holds every sample exactly once (I1)") {
  for (const size_t samples : {0u, 1u, 2u, 17u, 1'000u, 10'000u}) {
    auto ids = sample_order{order_kind::shuffled, 3, samples}.of_epoch(5);
    REQUIRE(ids.size() == samples);
    std::sort(ids.begin(), ids.end());
    for (size_t i = 0; i < samples; ++i)
      REQUIRE(ids[i] == i);
  }
}

TEST_CASE("an order is the same whenever and wherever it is asked for") {
  const sample_order order{order_kind::shuffled, 1, 10'000};
  const auto first = order.of_epoch(0);
  CHECK(first == sample_order{order_kind::shuffled, 1, 10'000}.of_epoch(0));
  const std::vector<uint32_t> known{5788, 1272, 7754, 7523, 4249, 1706, 1890, 305};
  CHECK(std::equal(known.begin(), known.end(), first.begin()));
}

TEST_CASE("epochs and seeds differ in their order") {
  const sample_order order{order_kind::shuffled, 1, 1'000};
  const auto first = order.of_epoch(0);
  CHECK(first != order.of_epoch(1));
  CHECK(first != order.of_epoch(uint64_t{1} << 32));
  CHECK(first != sample_order{order_kind::shuffled, 2, 1'000}.of_epoch(0));
  CHECK(first != sample_order{order_kind::shuffled, uint64_t{1} << 32 | 1, 1'000}.of_epoch(0));
}

TEST_CASE("the sequential order is the identity in every epoch") {
  const sample_order order{order_kind::sequential, 1, 5};
  CHECK(order.of_epoch(0) == std::vector<uint32_t>{0, 1, 2, 3, 4});
  CHECK(order.of_epoch(9) == order.of_epoch(0));
}

TEST_CASE("steps and micro-batches cut epochs as a plain loop over the samples does") {
  for (const batch_sizes sizes :
       {batch_sizes{10, 4, 2}, batch_sizes{10, 4, 4}, batch_sizes{12, 4, 1}, batch_sizes{3, 8, 2},
        batch_sizes{101, 10, 5}, batch_sizes{1, 1, 1}, batch_sizes{8'000, 128, 32}}) {
    uint64_t step = 0;
    for (uint64_t epoch = 0; epoch < 3; ++epoch) {
      std::set<size_t> covered;
      const uint64_t epoch_begin = step;
      for (size_t at = 0; at < sizes.samples; ++step) {
        const size_t end = std::min(at + sizes.batch, sizes.samples);
        REQUIRE(samples_of_step(sizes, step) == end - at);
        size_t index = 0;
        for (; at < end; ++index) {
          const auto range = positions(sizes, step, index);
          REQUIRE(range.epoch == epoch);
          REQUIRE(range.first == at);
          REQUIRE(range.last == std::min(at + sizes.micro_batch, end));
          for (; at < range.last; ++at)
            REQUIRE(covered.insert(at).second);
        }
        REQUIRE(micro_batches_of_step(sizes, step) == index);
      }
      REQUIRE(covered.size() == sizes.samples);
      REQUIRE(step - epoch_begin == steps_per_epoch(sizes));
    }
  }
}
