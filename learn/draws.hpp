#pragma once

#include <array>
#include <cstdint>

#include "gpu/kernels/philox.hpp"

namespace troupe::learn {

/// What random numbers are drawn for. Different purposes never share a number.
enum class purpose : uint32_t {
  sample_order = 1,
  augmentation = 2,
  training_digit = 3,
  test_digit = 4,
  random_image = 5,
  random_label = 6,
  shard_order = 7
};

/// A sequence of random numbers that is a pure function of (seed, purpose, first, second), on every platform (R10).
/// Cheap to make: nothing is computed before the first draw. Up to 2^34 words.
class draws {
public:
  draws(uint64_t seed, purpose why, uint32_t first, uint32_t second)
    : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)}, counter_{0, static_cast<uint32_t>(why),
                                                                                     first, second} {}

  /// 32 random bits.
  uint32_t word() {
    if (left_ == 0) {
      words_ = gpu::philox4x32(counter_, key_);
      ++counter_[0];
      left_ = 4;
    }
    return words_[4 - left_--];
  }

  /// Uniform in [0, n), exactly (D. Lemire: "Fast random integer generation in an interval", 2019). n > 0.
  uint32_t below(uint32_t n) {
    uint64_t product = uint64_t{word()} * n;
    if (static_cast<uint32_t>(product) < n) {
      const uint32_t biased = (0u - n) % n;
      while (static_cast<uint32_t>(product) < biased)
        product = uint64_t{word()} * n;
    }
    return static_cast<uint32_t>(product >> 32);
  }

private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> words_{};
  unsigned left_ = 0;
};

} // namespace troupe::learn
