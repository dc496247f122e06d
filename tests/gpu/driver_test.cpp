// What a CUDA device keeps to: the same that tests/unit/gpu/fake_device_test.cpp asks of the fake one.

#include <catch2/catch_test_macros.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "gpu/cuda/device_kernels.hpp"
#include "tests/gpu/gpu.hpp"

using namespace troupe::gpu;

TEST_CASE("a stream's work runs in order and calls back behind it", "[gpu]") {
  const auto dev = first_gpu();
  const auto stream = open(*dev);
  constexpr size_t n = 1 << 20;
  auto host = *dev->allocate_pinned<float>(n);
  std::iota(host.get(), host.get() + n, 0.0f);
  std::string order; // of the callbacks' thread until the stream is done
  {
    auto a = *stream->allocate(n * sizeof(float));
    auto b = *stream->allocate(n * sizeof(float));
    REQUIRE(stream->copy(a.data(), host.get(), n * sizeof(float)));
    REQUIRE(stream->call_back([&] { order += 'a'; }));
    REQUIRE(stream->launch(device_kernels::sgd(n, {.learning_rate = 1, .weight_decay = 0, .scale = 2},
                                               {a.data<float>(), a.data<float>(), b.data<float>(), nullptr, nullptr})));
    REQUIRE(stream->call_back([&] { order += 'b'; }));
    REQUIRE(stream->copy(host.get(), b.data(), n * sizeof(float)));
  } // freed behind the work
  finish(*stream);
  CHECK(order == "ab");
  CHECK(host[0] == 0);
  CHECK(host[n - 1] == -static_cast<float>(n - 1));
  CHECK(stream->idle() == true);
}

TEST_CASE("an event orders two streams", "[gpu]") {
  const auto dev = first_gpu();
  const auto compute = open(*dev);
  const auto copies = *dev->open_stream(stream_priority::high);
  constexpr size_t n = size_t{1} << 26;
  auto memory = *compute->allocate(n * sizeof(float));
  auto small = *compute->allocate(n * sizeof(uint16_t));
  auto host = *dev->allocate_pinned<uint16_t>(1);
  auto one = *dev->allocate_pinned<float>(1);
  one[0] = 1;
  REQUIRE(compute->copy(memory.data<float>() + n - 1, one.get(), sizeof(float)));
  REQUIRE(compute->launch(device_kernels::to_bf16(n, memory.data<float>(), small.data<uint16_t>())));
  const auto point = *compute->record();
  REQUIRE(copies->wait(*point));
  REQUIRE(copies->copy(host.get(), small.data<uint16_t>() + n - 1, sizeof(uint16_t)));
  finish(*copies);
  CHECK(host[0] == 0x3f80);
  CHECK(point->passed() == true);
}

TEST_CASE("out of memory is refused, and the device goes on", "[gpu]") {
  const auto dev = first_gpu();
  const auto stream = open(*dev);
  const auto refused = stream->allocate(dev->memory()->total * 2);
  REQUIRE_FALSE(refused);
  INFO(refused.error().sentence);
  CHECK(refused.error().kind == fault_kind::out_of_memory);
  CHECK(stream->allocate(1 << 20));
  finish(*stream);
  CHECK(stream->idle() == true);
}

TEST_CASE("a call with wrong arguments is refused, and the device goes on", "[gpu]") {
  const auto dev = first_gpu();
  const auto stream = open(*dev);
  const auto refused = stream->copy(nullptr, nullptr, 16);
  REQUIRE_FALSE(refused);
  INFO(refused.error().sentence);
  CHECK(refused.error().kind == fault_kind::refused);
  CHECK(stream->allocate(1 << 20));
}

TEST_CASE("nothing is left after 1,000 streams with buffers and callbacks", "[gpu]") {
  const auto dev = first_gpu();
  size_t before = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto stream = open(*dev);
    auto memory = stream->allocate(1 << 20);
    REQUIRE(memory);
    REQUIRE(stream->record());
    finish(*stream);
    if (i == 10) // the pool has what it needs
      before = dev->memory()->free;
  }
  CHECK(dev->memory()->free + (size_t{4} << 20) >= before);
}

TEST_CASE("a device may go before its streams, and within a callback", "[gpu]") {
  auto dev = first_gpu();
  auto stream = open(*dev);
  auto memory = *stream->allocate(1 << 20);
  dev.reset();
  std::promise<void> gone;
  auto last = std::make_shared<device_buffer>(std::move(memory));
  const auto called = stream->call_back([&gone, owned = std::move(last)]() mutable {
    owned.reset();
    gone.set_value();
  });
  REQUIRE(called);
  stream.reset();
  gone.get_future().wait();
}
