// A program of its own: what it does to its device, no later test of the same process would survive.

#include <catch2/catch_test_macros.hpp>

#include "gpu/cuda/device_kernels.hpp"
#include "tests/gpu/gpu.hpp"

using namespace troupe::gpu;

TEST_CASE("a kernel that writes where it must not loses the device for this process, and every call says so", "[gpu]") {
  const auto dev = first_gpu();
  const auto stream = open(*dev);
  const auto other = open(*dev);
  auto memory = *stream->allocate(1 << 20);
  auto* nowhere = reinterpret_cast<kernels::bf16*>(uintptr_t{64});
  REQUIRE(stream->launch(device_kernels::to_bf16(1000, memory.data<float>(), nowhere)));
  finish(*stream);
  const auto idle = stream->idle();
  REQUIRE_FALSE(idle);
  INFO(idle.error().sentence);
  CHECK(idle.error().kind == fault_kind::device_lost);
  const auto called = other->call_back([] {});
  REQUIRE_FALSE(called);
  CHECK(called.error().kind == fault_kind::device_lost);
}
