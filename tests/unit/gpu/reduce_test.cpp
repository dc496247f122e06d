#include "gpu/kernels/reduce.hpp"

#include <catch2/catch_test_macros.hpp>
#include <limits>

#include "gpu/kernels/plain.hpp"
#include "tests/unit/gpu/samples.hpp"

using namespace troupe::gpu;
namespace kernels = troupe::gpu::kernels;

TEST_CASE("add, sum, scale and copy do what their names say", "[gpu]") {
  for (const size_t n : odd_sizes)
    for (const int threads : {1, 3}) {
      INFO("n = " << n << ", threads = " << threads);
      const auto x = random_floats(n, 1);
      const auto y = random_floats(n, 2);
      floats added = y;
      floats sum(n);
      floats scaled = x;
      floats copied(n);
      with_threads(threads, [&] {
        kernels::add(n, x.data(), added.data());
        kernels::sum(n, x.data(), y.data(), sum.data());
        kernels::scale(n, 0.3f, scaled.data());
        kernels::copy(n, x.data(), copied.data());
        return 0;
      });
      floats expected_sum(n);
      floats expected_scaled(n);
      for (size_t i = 0; i < n; ++i) {
        expected_sum[i] = x[i] + y[i];
        expected_scaled[i] = x[i] * 0.3f;
      }
      CHECK(same_bits(added, expected_sum));
      CHECK(same_bits(sum, expected_sum));
      CHECK(same_bits(scaled, expected_scaled));
      CHECK(same_bits(copied, x));
    }
}

TEST_CASE("the mean is that of doubles in their order, and of equal values it is that value", "[gpu]") {
  for (const size_t n : odd_sizes)
    for (const size_t count : {1, 2, 3, 7}) {
      std::vector<floats> all;
      std::vector<const float*> from;
      from.reserve(count);
      for (size_t i = 0; i < count; ++i)
        all.push_back(random_floats(n, static_cast<uint32_t>(i + 1)));
      for (const auto& each : all)
        from.push_back(each.data());
      floats expected(n);
      for (size_t i = 0; i < n; ++i) {
        double sum = 0;
        for (const auto& each : all)
          sum += static_cast<double>(each[i]);
        expected[i] = static_cast<float>(sum / static_cast<double>(count));
      }
      floats mean(n);
      floats of_equals(n);
      const std::vector<const float*> equals(count, all.front().data());
      with_threads(3, [&] {
        kernels::mean(n, from, mean.data());
        kernels::mean(n, equals, of_equals.data());
        return 0;
      });
      INFO("n = " << n << ", " << count << " of them");
      CHECK(same_bits(mean, expected));
      CHECK(same_bits(of_equals, all.front()));
    }
}

TEST_CASE("copy keeps the bits of a signalling NaN", "[gpu]") {
  floats x(20, 1.0f);
  const uint32_t bits = 0x7f800001;
  std::memcpy(&x[17], &bits, sizeof bits);
  floats y(20);
  kernels::copy(20, x.data(), y.data());
  CHECK(same_bits(x, y));
}

TEST_CASE("the sum of squares is right and the same for any number of threads", "[gpu]") {
  for (const size_t n : odd_sizes) {
    INFO("n = " << n);
    const auto x = random_floats(n, 1);
    const auto one = with_threads(1, [&] { return kernels::norm_and_finite(n, x.data()); });
    CHECK(one.finite);
    // Two orders of summation: the plain one is off by up to n roundings of 1e-16.
    const double plain = kernels::plain::sum_of_squares(n, x.data());
    CHECK(std::fabs(one.sum_of_squares - plain) <= 1e-11 * plain);
    for (const int threads : {2, 3, 7})
      CHECK(with_threads(threads, [&] { return kernels::norm_and_finite(n, x.data()); }).sum_of_squares ==
            one.sum_of_squares);
  }
}

TEST_CASE("one value that is not finite is found wherever it is", "[gpu]") {
  constexpr float inf = std::numeric_limits<float>::infinity();
  for (const float bad : {inf, -inf, std::numeric_limits<float>::quiet_NaN()})
    for (const size_t at : {0u, 15u, 16384u, 99999u, 100002u}) {
      auto x = random_floats(100003, 1);
      x[at] = bad;
      INFO(bad << " at " << at);
      CHECK_FALSE(kernels::norm_and_finite(x.size(), x.data()).finite);
    }
}

TEST_CASE("the largest floats are finite", "[gpu]") {
  const floats x(100003, std::numeric_limits<float>::max());
  CHECK(kernels::norm_and_finite(x.size(), x.data()).finite);
}
