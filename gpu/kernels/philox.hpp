#pragma once

#include <array>
#include <cstdint>

namespace troupe::gpu {

/// 128 random bits as a pure function of a 128-bit counter and a 64-bit key: Philox4x32-10 of J. Salmon, M. Moraes,
/// R. Dror, D. Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011. Same bits on every platform (R10).
constexpr std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  constexpr int rounds = 10;
  constexpr uint64_t multiplier_0 = 0xd2511f53;
  constexpr uint64_t multiplier_1 = 0xcd9e8d57;
  constexpr uint32_t weyl_0 = 0x9e3779b9; // golden ratio
  constexpr uint32_t weyl_1 = 0xbb67ae85; // sqrt(3) - 1
  auto [c0, c1, c2, c3] = counter;
  auto [k0, k1] = key;
  for (int i = 0; i < rounds; ++i) {
    const uint64_t product_0 = multiplier_0 * c0;
    const uint64_t product_1 = multiplier_1 * c2;
    const uint32_t next_0 = static_cast<uint32_t>(product_1 >> 32) ^ c1 ^ k0;
    const uint32_t next_2 = static_cast<uint32_t>(product_0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(product_1);
    c3 = static_cast<uint32_t>(product_0);
    c0 = next_0;
    c2 = next_2;
    k0 += weyl_0;
    k1 += weyl_1;
  }
  return {c0, c1, c2, c3};
}

} // namespace troupe::gpu
