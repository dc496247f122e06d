#include "gpu/kernels/dropout.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "gpu/kernels/plain.hpp"
#include "tests/unit/gpu/samples.hpp"

using namespace troupe::gpu;
namespace kernels = troupe::gpu::kernels;

namespace {

floats mask(size_t n, const kernels::dropout_key& key, float rate) {
  const floats ones(n, 1.0f);
  floats y(n);
  kernels::dropout(n, key, rate, ones.data(), y.data());
  return y;
}

} // namespace

TEST_CASE("dropout drops what Philox says and scales the rest", "[gpu]") {
  const kernels::dropout_key key{.seed = 0x123456789abcdef, .step = 5, .micro_batch = 3, .layer = 2};
  for (const float rate : {0.0f, 0.1f, 0.5f})
    for (const size_t n : odd_sizes) {
      const auto x = random_floats(n, 1);
      floats y(n);
      with_threads(3, [&] { return kernels::dropout(n, key, rate, x.data(), y.data()), 0; });
      for (size_t i = 0; i < n; ++i)
        REQUIRE(y[i] == (kernels::plain::dropped(i, key, rate) ? 0 : x[i] * (1 / (1 - rate))));
    }
}

TEST_CASE("dropout hits about the share it is asked for", "[gpu]") {
  const size_t n = 100003;
  for (const float rate : {0.1f, 0.5f, 0.9f}) {
    const auto y = mask(n, {.seed = 1}, rate);
    const auto dropped = static_cast<double>(std::count(y.begin(), y.end(), 0.0f));
    const double deviation = std::sqrt(static_cast<double>(n) * rate * (1 - rate));
    CHECK(std::fabs(dropped - static_cast<double>(n) * rate) < 4 * deviation);
  }
}

TEST_CASE("masks of different steps, micro-batches, layers and seeds differ", "[gpu]") {
  const auto base = mask(1000, {}, 0.5f);
  CHECK(same_bits(base, mask(1000, {}, 0.5f)));
  CHECK_FALSE(same_bits(base, mask(1000, {.seed = 1}, 0.5f)));
  CHECK_FALSE(same_bits(base, mask(1000, {.seed = uint64_t{1} << 32}, 0.5f)));
  CHECK_FALSE(same_bits(base, mask(1000, {.step = 1}, 0.5f)));
  CHECK_FALSE(same_bits(base, mask(1000, {.micro_batch = 1}, 0.5f)));
  CHECK_FALSE(same_bits(base, mask(1000, {.layer = 1}, 0.5f)));
}

TEST_CASE("a mask does not depend on how many activations follow", "[gpu]") {
  auto longer = mask(1001, {.seed = 9}, 0.5f);
  longer.resize(17);
  CHECK(same_bits(longer, mask(17, {.seed = 9}, 0.5f)));
}
