#include "gpu/fake_device.hpp"

#include <catch2/catch_test_macros.hpp>
#include <future>
#include <string>
#include <vector>

using namespace troupe::gpu;
using namespace std::chrono_literals;

namespace {

kernel_call kernel(std::function<void()> f, size_t bytes = 0) {
  return {.name = "test", .bytes = bytes, .on_host = std::move(f), .on_cuda = nullptr};
}

/// A megabyte a microsecond, so that times are easy to read.
fake_options plain(size_t memory = 1000) {
  return {.memory = memory, .latency = 1us, .bytes_per_second = 1e12};
}

std::shared_ptr<device_stream> open(fake_device& dev) {
  auto stream = dev.open_stream(stream_priority::normal);
  REQUIRE(stream);
  return *stream;
}

void run_all(fake_device& dev) {
  while (dev.step()) {
  }
}

} // namespace

TEST_CASE("a stream's work runs in order, when the device steps, and calls back behind it", "[gpu]") {
  fake_device dev(plain());
  auto s = open(dev);
  std::string order;
  for (const char c : {'a', 'b', 'c'}) {
    REQUIRE(s->launch(kernel([&order, c] { order += c; })));
    REQUIRE(s->call_back([&order] { order += '!'; }));
  }
  CHECK(order.empty());
  CHECK(s->idle() == false);
  run_all(dev);
  CHECK(order == "a!b!c!");
  CHECK(s->idle() == true);
  CHECK(dev.count() == fake_device::counts{.streams = 1, .launched = 3});
}

TEST_CASE("work takes its latency and the time of its bytes, and streams run beside each other", "[gpu]") {
  fake_device dev(plain());
  auto a = open(dev);
  auto b = open(dev);
  std::string order;
  REQUIRE(a->launch(kernel([&] { order += 'a'; }, 9'000'000))); // 1 + 9 µs
  REQUIRE(b->launch(kernel([&] { order += 'b'; }, 2'000'000))); // 1 + 2 µs
  REQUIRE(b->launch(kernel([&] { order += 'b'; }, 2'000'000)));
  REQUIRE(b->launch(kernel([&] { order += 'b'; }, 4'000'000)));
  dev.pass(6us);
  CHECK(order == "bb");
  dev.pass(4us);
  CHECK(order == "bba");
  dev.pass(1us);
  CHECK(order == "bbab");
  CHECK(dev.now() == 11us);
}

TEST_CASE("an event orders two streams, and says when it is passed", "[gpu]") {
  fake_device dev(plain());
  auto compute = open(dev);
  auto copies = open(dev);
  int value = 0;
  int copied = 0;
  REQUIRE(compute->launch(kernel([&] { value = 7; }, 50'000'000)));
  auto point = compute->record();
  REQUIRE(point);
  REQUIRE(copies->wait(**point));
  REQUIRE(copies->copy(&copied, &value, sizeof value));
  dev.pass(40us);
  CHECK((*point)->passed() == false);
  CHECK(copied == 0);
  run_all(dev);
  CHECK((*point)->passed() == true);
  CHECK(copied == 7);
}

TEST_CASE("a buffer that goes is free once its stream is past it, and not before", "[gpu]") {
  fake_device dev(plain(1000));
  auto s = open(dev);
  {
    auto used = s->allocate(600);
    REQUIRE(used);
    auto* data = used->data<char>();
    REQUIRE(s->launch(kernel([data] { data[599] = 'x'; }))); // would be found by AddressSanitizer
  }
  const auto refused = s->allocate(600);
  REQUIRE_FALSE(refused);
  CHECK(refused.error() ==
        device_failure{fault_kind::out_of_memory, "fake:0 cannot allocate 600 bytes: 400 of 1000 bytes are free"});
  run_all(dev);
  CHECK(s->allocate(600));
  run_all(dev);
  CHECK(dev.memory()->free == 1000);
}

TEST_CASE("buffers move, keep their stream, and are given back once", "[gpu]") {
  fake_device dev(plain());
  auto s = open(dev);
  auto first = *s->allocate(100);
  auto second = *s->allocate(200);
  s.reset();
  second = std::move(first);
  run_all(dev);
  CHECK(dev.count() == fake_device::counts{.streams = 1, .bytes = 100});
  second = {};
  run_all(dev);
  CHECK(dev.count() == fake_device::counts{});
}

TEST_CASE("a closed stream finishes its work and is gone", "[gpu]") {
  fake_device dev(plain());
  bool ran = false;
  auto s = open(dev);
  REQUIRE(s->launch(kernel([&] { ran = true; })));
  s.reset();
  CHECK(dev.count().streams == 1);
  run_all(dev);
  CHECK(ran);
  CHECK(dev.count().streams == 0);
}

TEST_CASE("out of memory can be planned, and fails one allocation", "[gpu]") {
  fake_device dev(plain());
  auto s = open(dev);
  dev.plan(fake_fault::out_of_memory, 1);
  CHECK(s->allocate(1));
  const auto refused = s->allocate(1);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == fault_kind::out_of_memory);
  CHECK(s->allocate(1));
}

TEST_CASE("an error that stays fails everything, drops what is pending and calls nobody back", "[gpu]") {
  for (const auto fault : {fake_fault::illegal_access, fake_fault::ecc_error}) {
    fake_device dev(plain());
    auto bad = open(dev);
    auto other = open(dev);
    auto memory = *bad->allocate(100);
    auto owned = std::make_shared<int>(1);
    std::string ran;
    dev.plan(fault, 1);
    REQUIRE(bad->launch(kernel([&] { ran += 'a'; })));
    REQUIRE(bad->launch(kernel([&] { ran += 'b'; }))); // this one
    REQUIRE(bad->call_back([&ran, owned] { ran += '!'; }));
    auto point = bad->record();
    REQUIRE(point);
    REQUIRE(other->wait(**point));
    REQUIRE(other->launch(kernel([&] { ran += 'c'; })));
    run_all(dev);
    CHECK(ran == "a");
    CHECK(owned.use_count() == 1);
    const device_failure lost{fault_kind::device_lost, fault == fake_fault::ecc_error
                                                         ? "fake:0 is lost: an uncorrectable ECC error encountered"
                                                         : "fake:0 is lost: an illegal memory access was encountered"};
    CHECK(bad->idle() == tl::unexpected(lost));
    CHECK((*point)->passed() == tl::unexpected(lost));
    CHECK(other->launch(kernel([] {})) == tl::unexpected(lost));
    CHECK(other->call_back([] {}) == tl::unexpected(lost));
    CHECK(dev.memory().error() == lost);
    CHECK(dev.open_stream(stream_priority::normal).error() == lost);
    CHECK(bad->allocate(1).error() == lost);
    memory = {};
    bad.reset();
    other.reset();
    CHECK(dev.count() == fake_device::counts{.launched = 3});
  }
}

TEST_CASE("work that hangs holds up its stream and no other", "[gpu]") {
  fake_device dev(plain());
  auto stuck = open(dev);
  auto other = open(dev);
  std::string ran;
  dev.plan(fake_fault::hang);
  REQUIRE(stuck->launch(kernel([&] { ran += 'a'; })));
  REQUIRE(stuck->launch(kernel([&] { ran += 'b'; })));
  REQUIRE(other->launch(kernel([&] { ran += 'c'; })));
  dev.pass(1h);
  CHECK(ran == "c");
  CHECK(stuck->idle() == false);
  CHECK(other->idle() == true);
}

TEST_CASE("on the real clock a thread of the device works, and calls back", "[gpu]") {
  auto dev = std::make_shared<fake_device>(fake_options{.latency = 0ns, .time = fake_options::clock::real});
  auto s = open(*dev);
  std::vector<int> order; // of the device's thread until the promise is kept
  std::promise<void> done;
  for (int i = 0; i < 100; ++i)
    REQUIRE(s->launch(kernel([&order, i] { order.push_back(i); })));
  REQUIRE(s->call_back([&] { done.set_value(); }));
  done.get_future().wait();
  REQUIRE(order.size() == 100);
  for (int i = 0; i < 100; ++i)
    CHECK(order[static_cast<size_t>(i)] == i);
}

TEST_CASE("a device may go within its own callback", "[gpu]") {
  auto dev = std::make_shared<fake_device>(fake_options{.latency = 0ns, .time = fake_options::clock::real});
  auto s = open(*dev);
  std::promise<void> gone;
  std::promise<void> go;
  REQUIRE(s->call_back([&gone, wait = go.get_future().share(), last = dev]() mutable {
    wait.wait();
    last.reset();
    gone.set_value();
  }));
  dev.reset();
  go.set_value();
  gone.get_future().wait();
}

TEST_CASE("pinned memory is counted and keeps what it needs of its device", "[gpu]") {
  auto dev = std::make_shared<fake_device>(plain());
  auto values = dev->allocate_pinned<float>(10);
  REQUIRE(values);
  (*values)[9] = 1;
  CHECK(dev->count() == fake_device::counts{.pinned_bytes = 40});
  auto second = dev->allocate_pinned<float>(10);
  second->reset();
  CHECK(dev->count() == fake_device::counts{.pinned_bytes = 40});
  dev.reset();
  CHECK((*values)[9] == 1);
}
