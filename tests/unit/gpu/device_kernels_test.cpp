// What device kernels compute, on a fake device: that every call's arguments get to where they belong. The kernels of a
// GPU are compared with the same references in tests/gpu.

#include "gpu/cuda/device_kernels.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cmath>

#include "gpu/fake_device.hpp"
#include "tests/gpu/kernel_cases.hpp"

using namespace troupe::gpu;

TEST_CASE("on a fake device each kernel computes what its reference does", "[gpu]") {
  for (const size_t n : {1u, 17u, 1000u})
    for (const auto& c : kernel_cases(n)) {
      INFO(c.name << ", n = " << n);
      fake_device dev;
      auto stream = *dev.open_stream(stream_priority::normal);
      const auto results = run_case(dev, stream, c, [&] {
        while (dev.step()) {
        }
      });
      REQUIRE(results);
      const auto wrong = problems(c, *results);
      INFO(wrong);
      CHECK(wrong.empty());
    }
}
