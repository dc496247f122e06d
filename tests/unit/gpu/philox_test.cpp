#include "gpu/kernels/philox.hpp"

#include <catch2/catch_test_macros.hpp>

using troupe::gpu::philox4x32;
using four = std::array<uint32_t, 4>;

// kat_vectors of the Random123 distribution, philox4x32, 10 rounds.
TEST_CASE("philox gives the known answers of Random123", "[gpu]") {
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == four{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        four{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        four{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}
