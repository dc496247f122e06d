#include "gpu/stream.hpp"

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <future>
#include <omp.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace troupe::gpu;

namespace {

void no_error(const std::exception_ptr&) {}

std::string text(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  }
}

} // namespace

TEST_CASE("a device has the name and the threads it was asked for", "[gpu]") {
  auto dev = device::host({.index = 3, .threads = 2});
  CHECK(dev.name() == "cpu:3");
  CHECK(dev.threads() == 2);
}

TEST_CASE("a device without threads is refused with a sentence", "[gpu]") {
  try {
    (void)device::host({.index = 1, .threads = 0});
    FAIL("a device with 0 threads was made");
  } catch (const std::invalid_argument& e) {
    CHECK(std::string(e.what()) == "device cpu:1 cannot have 0 threads: choose at least 1");
  }
}

TEST_CASE("tasks of a stream run in order on one thread with the device's team", "[gpu]") {
  stream s(device::host({.threads = 2}), no_error);
  std::vector<int> order;
  std::vector<std::thread::id> threads;
  int team = 0;
  for (int i = 0; i < 1000; ++i)
    s.enqueue([&, i] {
      order.push_back(i);
      threads.push_back(std::this_thread::get_id());
    });
  s.enqueue([&] { team = omp_get_max_threads(); });
  s.synchronize();
  REQUIRE(order.size() == 1000);
  for (int i = 0; i < 1000; ++i)
    CHECK(order[static_cast<size_t>(i)] == i);
  CHECK(team == 2);
  CHECK(threads.front() == threads.back());
  CHECK(threads.front() != std::this_thread::get_id());
}

TEST_CASE("the team of one device does not change the team of another", "[gpu]") {
  stream one(device::host({.threads = 1}), no_error);
  stream three(device::host({.index = 1, .threads = 3}), no_error);
  int of_one = 0;
  int of_three = 0;
  one.enqueue([&] { of_one = omp_get_max_threads(); });
  three.enqueue([&] { of_three = omp_get_max_threads(); });
  one.synchronize();
  three.synchronize();
  CHECK(of_one == 1);
  CHECK(of_three == 3);
}

TEST_CASE("streams of one device are served in order of arrival", "[gpu]") {
  auto dev = device::host({});
  stream a(dev, no_error);
  stream b(dev, no_error);
  std::promise<void> go;
  a.enqueue([&] { go.get_future().wait(); });
  std::string order;
  a.enqueue([&] { order += 'a'; });
  b.enqueue([&] { order += 'b'; });
  a.enqueue([&] { order += 'a'; });
  b.enqueue([&] { order += 'b'; });
  b.enqueue([&] { order += 'b'; });
  go.set_value();
  a.synchronize();
  b.synchronize();
  CHECK(order == "ababb");
}

TEST_CASE("a stream that waits for an event holds up no other stream of its device", "[gpu]") {
  auto dev = device::host({});
  stream first(dev, no_error);
  stream second(dev, no_error);
  stream other(device::host({.index = 1}), no_error);
  std::promise<void> go;
  other.enqueue([&] { go.get_future().wait(); });
  std::string order;
  other.enqueue([&] { order += 'o'; });
  const event e = other.record();
  first.wait(e);
  first.enqueue([&] { order += 'f'; });
  bool ran = false;
  second.enqueue([&] { ran = true; });
  second.synchronize(); // returns although `first` is stuck in front of it
  CHECK(ran);
  CHECK_FALSE(e.done());
  CHECK(order.empty());
  go.set_value();
  first.synchronize();
  CHECK(e.done());
  CHECK(order == "of");
}

TEST_CASE("events order two streams of one device and of two devices", "[gpu]") {
  const bool same = GENERATE_COPY(false, true);
  auto dev = device::host({});
  stream a(dev, no_error);
  stream b(same ? dev : device::host({.index = 1}), no_error);
  std::vector<int> order; // written by both, in turns that the events enforce
  for (int i = 0; i < 500; ++i) {
    a.enqueue([&, i] { order.push_back(2 * i); });
    b.wait(a.record());
    b.enqueue([&, i] { order.push_back(2 * i + 1); });
    a.wait(b.record());
  }
  a.synchronize();
  REQUIRE(order.size() == 1000);
  for (int i = 0; i < 1000; ++i)
    CHECK(order[static_cast<size_t>(i)] == i);
}

TEST_CASE("an event of no stream is done", "[gpu]") {
  const event e;
  CHECK(e.done());
  e.wait();
  stream s(device::host({}), no_error);
  s.wait(e);
  s.synchronize();
}

TEST_CASE("a task that throws poisons its stream only, and is reported once", "[gpu]") {
  auto dev = device::host({});
  std::atomic<int> reports = 0;
  std::string reason;
  stream bad(dev, [&](const std::exception_ptr& error) {
    ++reports;
    reason = text(error);
  });
  stream good(dev, no_error);
  std::promise<void> go;
  bool behind = false;
  bool callback = false;
  bool unaffected = false;
  good.enqueue([&] { go.get_future().wait(); });
  bad.enqueue([] { throw std::runtime_error("loss is not finite"); });
  bad.enqueue([&] { behind = true; });
  bad.enqueue([] { throw std::runtime_error("a second reason"); });
  bad.on_complete([&] { callback = true; });
  const event e = bad.record();
  good.wait(e); // must not hang for a point that is never reached
  good.enqueue([&] { unaffected = true; });
  go.set_value();
  good.synchronize();
  CHECK(unaffected);
  CHECK(e.done());
  bad.enqueue([&] { behind = true; });
  CHECK(bad.record().done());
  try {
    bad.synchronize();
    FAIL("a poisoned stream synchronised");
  } catch (const std::runtime_error& error) {
    CHECK(std::string(error.what()) == "loss is not finite");
  }
  CHECK_FALSE(behind);
  CHECK_FALSE(callback);
  CHECK(reports == 1);
  CHECK(reason == "loss is not finite");
}

TEST_CASE("what a dropped task owns is released", "[gpu]") {
  auto owned = std::make_shared<int>(1);
  stream s(device::host({}), no_error);
  s.enqueue([] { throw std::runtime_error("no"); });
  s.enqueue([owned] {});
  s.record().wait();
  s.enqueue([owned] {});
  CHECK(owned.use_count() == 1);
}

TEST_CASE("tasks of a destroyed stream still run, and the last one may hold its device", "[gpu]") {
  std::promise<int> done;
  {
    stream s(device::host({}), no_error);
    s.enqueue([&] { done.set_value(7); });
  }
  CHECK(done.get_future().get() == 7);
}

TEST_CASE("a stream that waits outlives its owner until its event", "[gpu]") {
  std::promise<void> go;
  std::promise<int> done;
  stream gatekeeper(device::host({}), no_error);
  gatekeeper.enqueue([&] { go.get_future().wait(); });
  {
    stream s(device::host({.index = 1}), no_error);
    s.wait(gatekeeper.record());
    s.enqueue([&] { done.set_value(9); });
  }
  go.set_value();
  CHECK(done.get_future().get() == 9);
}

TEST_CASE("several threads feed their own streams of one device", "[gpu]") {
  auto dev = device::host({});
  constexpr int feeders = 4;
  constexpr int tasks = 5000;
  std::vector<int> counts(feeders, 0);
  {
    std::vector<std::jthread> threads;
    for (size_t t = 0; t < feeders; ++t)
      threads.emplace_back([&counts, dev, t] {
        stream s(dev, no_error);
        for (int i = 0; i < tasks; ++i)
          s.enqueue([&counts, t] { ++counts[t]; });
        s.synchronize();
      });
  }
  for (const int count : counts)
    CHECK(count == tasks);
}

TEST_CASE("a stepped device works one piece at a time, in order, when and where it is told to", "[gpu]") {
  auto dev = device::stepped({});
  stream first(dev, no_error);
  stream second(dev, no_error);
  std::vector<int> order;
  first.enqueue([&] { order.push_back(1); });
  second.enqueue([&] { order.push_back(2); });
  const auto point = second.record();
  first.wait(point);
  first.enqueue([&] { order.push_back(3); });
  CHECK(order.empty());
  CHECK(dev.has_work());
  CHECK(dev.step());
  CHECK(order == std::vector{1});
  while (dev.step()) {
  }
  CHECK(order == std::vector{1, 2, 3});
  CHECK(point.done());
  CHECK_FALSE(dev.has_work());
  CHECK_FALSE(dev.step());
}
