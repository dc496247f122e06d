#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace troupe::gpu::kernels {

/// The grain of every kernel, in floats (64 KiB). Chunk boundaries depend on the size of the data alone, so a kernel
/// gives the same bits with any number of threads. Data of one chunk runs on the calling thread: below that, waking the
/// team (1–2 µs) costs as much as the second thread saves. Larger chunks would leave threads idle on small layers.
inline constexpr size_t chunk_floats = 16384;

/// ThreadSanitizer cannot see the barriers of an OpenMP runtime that was not built for it; under it a team is one
/// thread.
#if defined(__SANITIZE_THREAD__) // by g++
inline constexpr bool use_team = false;
#elif defined(__clang__)
inline constexpr bool use_team = !__has_feature(thread_sanitizer);
#else
inline constexpr bool use_team = true;
#endif

constexpr size_t chunks_of(size_t n, size_t grain = chunk_floats) {
  return (n + grain - 1) / grain;
}

/// Calls `body(chunk, begin, end)` for each chunk of [0, n) on the calling thread's OpenMP team, in any order.
template <class Body>
void for_chunks(size_t n, size_t grain, const Body& body) {
  const auto chunks = static_cast<int64_t>(chunks_of(n, grain));
  if (chunks <= 1) {
    if (n > 0)
      body(size_t{0}, size_t{0}, n);
    return;
  }
#pragma omp parallel for schedule(static) if (use_team)
  for (int64_t i = 0; i < chunks; ++i) {
    const size_t chunk = static_cast<size_t>(i);
    body(chunk, chunk * grain, std::min(n, (chunk + 1) * grain));
  }
}

/// Calls `body(begin, end)` for each chunk of `chunk_floats`.
template <class Body>
void for_chunks(size_t n, const Body& body) {
  for_chunks(n, chunk_floats, [&body](size_t, size_t begin, size_t end) { body(begin, end); });
}

/// `chunks` values for the partial results of a reduction, to be combined in order of the chunks. Belongs to the
/// calling thread, valid until it asks again; allocates only when it grows.
template <class T>
std::span<T> partial_results(size_t chunks) {
  thread_local std::vector<T> values;
  if (values.size() < chunks)
    values.resize(chunks);
  return {values.data(), chunks};
}

} // namespace troupe::gpu::kernels
