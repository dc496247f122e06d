#pragma once

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <future>
#include <memory>

#include "gpu/cuda/driver.hpp"

namespace troupe::gpu {

/// The first GPU; skips the test case where there is none.
inline std::shared_ptr<driver> first_gpu() {
  const auto count = count_cuda_devices();
  if (!count)
    SKIP("no GPU: " << count.error().sentence);
  if (*count == 0)
    SKIP("no GPU: this machine has none that CUDA can use");
  auto device = open_cuda_device(0);
  REQUIRE(device);
  return *device;
}

inline std::shared_ptr<device_stream> open(driver& dev) {
  auto stream = dev.open_stream(stream_priority::normal);
  REQUIRE(stream);
  return *stream;
}

/// Waits until the stream is done, or its device lost.
inline void finish(device_stream& stream) {
  auto done = std::make_shared<std::promise<void>>();
  auto waiting = done->get_future();
  if (!stream.call_back([done] { done->set_value(); }))
    return;
  while (waiting.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready && stream.idle()) {
  }
}

} // namespace troupe::gpu
