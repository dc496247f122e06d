#include "gpu/buffer.hpp"

#include <catch2/catch_test_macros.hpp>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace troupe::gpu;

TEST_CASE("buffers are aligned, and empty once moved from", "[gpu]") {
  for (const size_t bytes : {1u, 63u, 64u, 1000u, 1u << 20}) {
    buffer b(bytes);
    CHECK(reinterpret_cast<uintptr_t>(b.data()) % buffer::alignment == 0);
    CHECK(b.size() == bytes);
    const buffer moved = std::move(b);
    CHECK(moved.size() == bytes);
    CHECK(b.data() == nullptr); // NOLINT(bugprone-use-after-move,clang-analyzer-cplusplus.Move)
    CHECK(b.size() == 0);
  }
}

TEST_CASE("size classes fit, lose at most an eighth, and are their own class", "[gpu]") {
  size_t before = 0;
  for (size_t bytes = 0; bytes < 100000; bytes += 7) {
    const size_t size = buffer_pool::size_class(bytes);
    CHECK(size >= bytes);
    CHECK(size % buffer::alignment == 0);
    CHECK((bytes <= 512 || size - bytes <= bytes / 8));
    CHECK(buffer_pool::size_class(size) == size);
    CHECK(size >= before);
    before = size;
  }
}

TEST_CASE("a pool hands out again what came back, by size class", "[gpu]") {
  buffer_pool pool(1 << 20);
  std::byte* first = nullptr;
  {
    const auto b = pool.take(1000);
    first = b.data();
  }
  CHECK(pool.count().kept_bytes == buffer_pool::size_class(1000));
  const auto other = pool.take(3000);
  CHECK(other.data() != first);
  const auto again = pool.take(990);
  CHECK(again.data() == first);
  CHECK(again.size() == 990);
  const auto counts = pool.count();
  CHECK(counts.reused == 1);
  CHECK(counts.allocated == 2);
  CHECK(counts.refused == 0);
  CHECK(counts.kept_bytes == 0);
}

TEST_CASE("a pool keeps no more than its limit", "[gpu]") {
  buffer_pool pool(4096);
  {
    std::vector<buffer> all;
    all.reserve(5);
    for (int i = 0; i < 5; ++i)
      all.push_back(pool.take(1024));
  }
  CHECK(pool.count().kept_bytes == 4096);
  CHECK(pool.count().refused == 1);
}

TEST_CASE("buffers may outlive their pool", "[gpu]") {
  buffer b;
  {
    buffer_pool pool(4096);
    b = pool.take(100);
  }
  b.floats()[24] = 1;
  CHECK(b.floats().size() == 25);
  CHECK(b.floats()[24] == 1);
}

TEST_CASE("memory comes back only when the stream is past it", "[gpu]") {
  buffer_pool pool(1 << 20);
  stream s(device::host({}), [](const std::exception_ptr&) {});
  std::promise<void> go;
  s.enqueue([&] { go.get_future().wait(); });
  release_after(s, pool.take(1000));
  CHECK(pool.count().kept_bytes == 0);
  go.set_value();
  s.synchronize();
  CHECK(pool.count().kept_bytes == buffer_pool::size_class(1000));
}

TEST_CASE("memory comes back when the stream is poisoned", "[gpu]") {
  buffer_pool pool(1 << 20);
  stream s(device::host({}), [](const std::exception_ptr&) {});
  s.enqueue([] { throw std::runtime_error("no"); });
  release_after(s, pool.take(1000));
  s.record().wait();
  release_after(s, pool.take(3000));
  CHECK(pool.count().kept_bytes == buffer_pool::size_class(1000) + buffer_pool::size_class(3000));
}

TEST_CASE("several threads share a pool", "[gpu]") {
  buffer_pool pool(1 << 20);
  {
    std::vector<std::jthread> threads;
    threads.reserve(4);
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([pool, t]() mutable {
        for (int i = 0; i < 2000; ++i) {
          const auto b = pool.take(1000);
          b.floats()[0] = static_cast<float>(t);
          b.floats()[249] = static_cast<float>(i);
          if (b.floats()[0] != static_cast<float>(t))
            std::terminate(); // two owners of one buffer
        }
      });
  }
  const auto counts = pool.count();
  CHECK(counts.reused + counts.allocated == 8000);
  CHECK(counts.allocated <= 4);
}
