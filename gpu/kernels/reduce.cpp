#include "gpu/kernels/reduce.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "gpu/kernels/chunks.hpp"

namespace troupe::gpu::kernels {

void sum(size_t n, const float* left, const float* right, float* total) {
  for_chunks(n, [=](size_t begin, size_t end) {
#pragma omp simd
    for (size_t i = begin; i < end; ++i)
      total[i] = left[i] + right[i];
  });
}

void add(size_t n, const float* source, float* destination) {
  sum(n, destination, source, destination);
}

void scale(size_t n, float factor, float* x) {
  for_chunks(n, [=](size_t begin, size_t end) {
#pragma omp simd
    for (size_t i = begin; i < end; ++i)
      x[i] *= factor;
  });
}

void difference(size_t n, const float* left, const float* right, float factor, float* destination) {
  for_chunks(n, [=](size_t begin, size_t end) {
#pragma omp simd
    for (size_t i = begin; i < end; ++i)
      destination[i] = (left[i] - right[i]) * factor;
  });
}

void mean(size_t n, std::span<const float* const> from, float* destination) {
  const auto count = static_cast<double>(from.size());
  for_chunks(n, [=](size_t begin, size_t end) {
    constexpr size_t grain = 256; // sums that stay in the cache
    std::array<double, grain> sums;
    for (; begin < end; begin += std::min(grain, end - begin)) {
      const auto m = std::min(grain, end - begin);
      for (size_t i = 0; i < m; ++i)
        sums[i] = static_cast<double>(from.front()[begin + i]);
      for (const auto* each : from.subspan(1))
        for (size_t i = 0; i < m; ++i)
          sums[i] += static_cast<double>(each[begin + i]);
      for (size_t i = 0; i < m; ++i)
        destination[begin + i] = static_cast<float>(sums[i] / count);
    }
  });
}

void copy(size_t n, const float* source, float* destination) {
  for_chunks(n, [=](size_t begin, size_t end) {
    std::memcpy(destination + begin, source + begin, (end - begin) * sizeof(float));
  });
}

namespace {

/// Sums in 32 lanes, whatever the width of a register, and the lanes in order.
double sum_of_squares(size_t n, const float* x) {
  constexpr size_t lanes = 32;
  std::array<double, lanes> sums{};
  const size_t whole = n / lanes * lanes;
  for (size_t i = 0; i < whole; i += lanes)
#pragma omp simd
    for (size_t lane = 0; lane < lanes; ++lane)
      sums[lane] += static_cast<double>(x[i + lane]) * static_cast<double>(x[i + lane]);
  for (size_t i = whole; i < n; ++i)
    sums[i - whole] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  double total = 0;
  for (const double part : sums)
    total += part;
  return total;
}

} // namespace

norm_result norm_and_finite(size_t n, const float* x) {
  const auto partial = partial_results<double>(chunks_of(n));
  for_chunks(n, chunk_floats,
             [=](size_t chunk, size_t begin, size_t end) { partial[chunk] = sum_of_squares(end - begin, x + begin); });
  double total = 0;
  for (const double part : partial)
    total += part;
  // A square of a finite float is below 1.2e77, so no sum of them overflows: it is finite exactly if every value is.
  return {total, std::isfinite(total)};
}

} // namespace troupe::gpu::kernels
