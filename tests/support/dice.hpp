#pragma once

#include <chrono>
#include <cstdint>

namespace troupe::testing {

using std::chrono::nanoseconds;

/// Seeded random numbers, the same on every platform (SplitMix64: Steele et al., "Fast splittable pseudorandom number
/// generators", 2014).
class dice {
public:
  /// Dice of one seed that serve different purposes never show the same numbers.
  explicit dice(uint64_t seed, uint64_t purpose = 0) : state_(seed * 0xd1342543de82ef95U + purpose) { word(); }

  uint64_t word() {
    uint64_t x = state_ += 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
  }

  /// Uniform in [0, n); n > 0. The bias of the remainder is below 2^-40 for every n in use.
  uint64_t below(uint64_t n) { return word() % n; }
  /// Uniform in [0, 1).
  double unit() { return static_cast<double>(word() >> 11) * 0x1.0p-53; }
  bool chance(double p) { return unit() < p; }
  /// Uniform in [least, most].
  nanoseconds between(nanoseconds least, nanoseconds most) {
    return least + nanoseconds{static_cast<int64_t>(below(static_cast<uint64_t>((most - least).count()) + 1))};
  }

private:
  uint64_t state_;
};

} // namespace troupe::testing
