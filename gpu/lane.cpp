#include "gpu/lane.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <omp.h>
#include <pthread.h>
#include <stdexcept>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace troupe::gpu::detail {

namespace {

void pause_briefly() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

} // namespace

void gate::pass() {
  std::vector<std::shared_ptr<stream_queue>> released;
  {
    const std::lock_guard lock(mutex_);
    passed_.store(true, std::memory_order_release);
    released.swap(parked_);
  }
  passed_.notify_all();
  for (const auto& queue : released)
    queue->home->unpark(queue);
}

bool gate::park(const std::shared_ptr<stream_queue>& waiting) {
  const std::lock_guard lock(mutex_);
  if (passed())
    return false;
  parked_.push_back(waiting);
  return true;
}

void run_queue::push(const std::shared_ptr<stream_queue>& queue, entry what) {
  {
    const std::lock_guard lock(mutex_);
    if (!queue->error) {
      what.arrival = arrivals_++;
      queue->pending.push_back(std::exchange(what, {}));
      if (queue->pending.size() == 1 && !queue->parked)
        ready_.push_back(queue);
    }
  }
  if (what.what == entry::type::pass)
    what.point->pass(); // dropped, but nobody may wait for it for ever
  else
    signal();
}

void run_queue::unpark(const std::shared_ptr<stream_queue>& queue) {
  {
    const std::lock_guard lock(mutex_);
    queue->parked = false;
    if (!queue->pending.empty())
      ready_.push_back(queue);
  }
  signal();
}

std::exception_ptr run_queue::error_of(const stream_queue& queue) {
  const std::lock_guard lock(mutex_);
  return queue.error;
}

std::optional<run_queue::taken> run_queue::take() {
  const std::lock_guard lock(mutex_);
  while (!ready_.empty()) {
    auto first = std::min_element(ready_.begin(), ready_.end(), [](const auto& a, const auto& b) {
      return a->pending.front().arrival < b->pending.front().arrival;
    });
    auto queue = *first;
    entry what = std::move(queue->pending.front());
    queue->pending.pop_front();
    queue->parked = what.what == entry::type::wait && what.point->park(queue);
    if (queue->parked || queue->pending.empty())
      ready_.erase(first);
    if (!queue->parked)
      return taken{std::move(queue), std::move(what)};
  }
  return std::nullopt;
}

void run_queue::run() {
  for (;;) {
    const uint32_t seen = signals_.load(std::memory_order_acquire);
    if (const auto next = take())
      execute(*next);
    else if (stopping_.load(std::memory_order_acquire))
      return;
    else
      await_signal(seen);
  }
}

void run_queue::execute(const taken& next) {
  switch (next.what.what) {
  case entry::type::wait: // passed already
    break;
  case entry::type::pass:
    next.what.point->pass();
    break;
  case entry::type::run:
    try {
      next.what.work();
    } catch (...) {
      poison(next.queue, std::current_exception());
    }
  }
}

void run_queue::poison(const std::shared_ptr<stream_queue>& queue, std::exception_ptr error) noexcept {
  std::deque<entry> dropped;
  {
    const std::lock_guard lock(mutex_);
    queue->error = error;
    dropped.swap(queue->pending);
    std::erase(ready_, queue);
  }
  if (queue->on_error)
    queue->on_error(std::move(error));
  while (!dropped.empty()) { // one by one: what a task owns is released before the gates behind it are passed
    const entry what = std::move(dropped.front());
    dropped.pop_front();
    if (what.what == entry::type::pass)
      what.point->pass();
  }
}

void run_queue::await_signal(uint32_t seen) {
  using clock = std::chrono::steady_clock;
  const auto end = clock::now() + std::chrono::nanoseconds(spin_nanoseconds);
  do {
    for (int i = 0; i < 32; ++i) {
      if (signals_.load(std::memory_order_acquire) != seen)
        return;
      pause_briefly();
    }
  } while (clock::now() < end);
  signals_.wait(seen, std::memory_order_acquire);
}

void run_queue::signal() {
  signals_.fetch_add(1, std::memory_order_release);
  signals_.notify_one(); // a system call only if the lane sleeps
}

bool run_queue::step() {
  const auto next = take();
  if (next)
    execute(*next);
  return next.has_value();
}

bool run_queue::has_work() {
  const std::lock_guard lock(mutex_);
  return !ready_.empty();
}

void run_queue::stop() {
  stopping_.store(true, std::memory_order_release);
  signal();
}

lane::lane(host_options options, driver by) : options_(options), queue_(std::make_shared<run_queue>()) {
  if (options.threads < 1)
    throw std::invalid_argument(
      fmt::format("device cpu:{} cannot have {} threads: choose at least 1", options.index, options.threads));
  if (by == driver::caller)
    return;
  thread_ = std::thread([queue = queue_, options] {
    pthread_setname_np(pthread_self(), fmt::format("cpu:{}", options.index).substr(0, 15).c_str());
    omp_set_dynamic(0);
    omp_set_num_threads(options.threads); // of this thread's parallel regions only
    queue->run();
  });
}

lane::~lane() {
  queue_->stop();
  if (!thread_.joinable())
    return;
  if (thread_.get_id() == std::this_thread::get_id())
    thread_.detach(); // the last task of the last stream let go of the device: the thread is about to end by itself
  else
    thread_.join(); // nothing is left to run, since every stream keeps its lane until it is done
}

} // namespace troupe::gpu::detail
