#pragma once

#include <cmath>
#include <cstring>
#include <omp.h>
#include <vector>

#include "gpu/kernels/philox.hpp"

namespace troupe::gpu {

using floats = std::vector<float>;

/// Sizes around the width of a vector and of a chunk.
inline constexpr size_t odd_sizes[] = {0, 1, 15, 16, 17, 1000, 16384, 16385, 100003};

/// n values in [low, high), different for each `stream`.
inline floats random_floats(size_t n, uint32_t stream, float low = -1, float high = 1) {
  floats x(n);
  for (size_t i = 0; i < n; ++i) {
    const auto word = philox4x32({static_cast<uint32_t>(i), stream, 0, 0}, {7, 0})[0];
    x[i] = low + (high - low) * static_cast<float>(word >> 8) * 0x1p-24f;
  }
  return x;
}

/// Bit by bit, so that NaN equals itself and 0 differs from -0.
inline bool same_bits(const floats& a, const floats& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

/// The largest |a - b| / (1 + |b|).
inline double distance(const floats& a, const floats& b) {
  double most = a.size() == b.size() ? 0 : INFINITY;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    const double d = std::fabs(static_cast<double>(a[i]) - b[i]) / (1 + std::fabs(static_cast<double>(b[i])));
    most = d <= most ? most : d; // NaN counts as far
  }
  return most;
}

/// Runs `work` with a team of so many threads.
template <class Work>
auto with_threads(int threads, const Work& work) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(threads);
  auto result = work();
  omp_set_num_threads(before);
  return result;
}

} // namespace troupe::gpu
