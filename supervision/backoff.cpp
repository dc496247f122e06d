#include "supervision/backoff.hpp"

#include <algorithm>
#include <cmath>

namespace troupe {

namespace {

/// A draw from [0, 1): FNV-1a over the child's id, then the finaliser of SplitMix64 (Steele et al. 2014).
double draw(uint64_t seed, std::string_view child, uint64_t number) {
  uint64_t x = 14695981039346656037ULL;
  for (char c : child)
    x = (x ^ static_cast<uint8_t>(c)) * 1099511628211ULL;
  x += seed * 0x9e3779b97f4a7c15ULL + number;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  x ^= x >> 31;
  return static_cast<double>(x >> 11) * 0x1.0p-53;
}

} // namespace

nanoseconds backoff_delay(const supervisor_spec& spec, std::string_view child, incarnation number, uint32_t k) {
  const auto& b = spec.backoff;
  // In doubles, so that 2^k cannot overflow; exact for all delays below 2^53 ns (104 days).
  double base = std::min(std::ldexp(static_cast<double>(b.min.count()), static_cast<int>(std::min(k, 64U))),
                         static_cast<double>(b.max.count()));
  double delay = base * (1 + b.jitter * draw(spec.seed, child, number.value));
  constexpr double longest = 0x1.0p62; // 146 years
  return nanoseconds{static_cast<int64_t>(std::min(delay, longest))};
}

} // namespace troupe
