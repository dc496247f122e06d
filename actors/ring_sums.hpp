#pragma once

#include <cstdint>
#include <vector>

#include "actors/ring_core.hpp"
#include "gpu/stream.hpp"
#include "messages/payload.hpp"

namespace troupe {

/// The numbers behind a `ring_core`: each bucket's own part of the sum, and the sum as its chunks come in. They lie
/// where other processes of the host can read them in place. What is short is computed at once, which takes less time
/// than to wake a lane; the rest on the stream. Owned by one actor.
class ring_sums {
public:
  /// Floats that are summed or copied in about the time that it takes to wake a lane and come back: a usual bucket.
  static constexpr size_t at_once = size_t{256} << 10;

  explicit ring_sums(const std::vector<ring_bucket>& buckets) : buckets_(buckets.size()) {
    for (size_t b = 0; b < buckets.size(); ++b)
      buckets_[b].size = buckets[b].size;
  }

  /// Forgets the step. What the stream still works on keeps what it needs.
  void clear();

  struct own_part {
    std::vector<payload> values; ///< one; with nodes kept apart as many as there are
    bool there = false;          ///< else once the stream is past this
  };
  /// The own part of a bucket: the sum of each block's `parts`, in their order; zero where there are none. `apart`:
  /// each of them for itself.
  own_part assemble(gpu::stream& s, uint32_t bucket, std::vector<std::vector<payload>> parts, bool apart = false);

  struct sum {
    payload values;
    bool there = false; ///< else once the stream is past this
  };
  /// The sum of two parts of a chunk. The last sum is made where the total lies.
  sum add(gpu::stream& s, const ring_core::reduce& what);
  /// Two neighbours, where the total lies.
  sum join(gpu::stream& s, const ring_core::join& what);

  /// Puts a chunk of the sum where it belongs. An own part that is all of the bucket's sum stays where it is.
  void complete(gpu::stream& s, const ring_core::complete& what);
  /// The sum of a bucket; its chunks come in on the stream.
  [[nodiscard]] const payload& total(uint32_t bucket) const { return buckets_[bucket].total; }
  [[nodiscard]] std::vector<payload> totals() const;

private:
  struct entry {
    size_t size = 0;
    std::vector<payload> own;
    payload total;
  };

  static payload together(gpu::stream& s, size_t size, std::vector<std::vector<payload>> parts);
  payload& prepared_total(uint32_t bucket);
  bool put(gpu::stream& s, uint32_t bucket, const payload& values, size_t first);

  std::vector<entry> buckets_;
};

} // namespace troupe
