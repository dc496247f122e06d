#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "gpu/device.hpp"

namespace troupe::gpu::detail {

class run_queue;
struct stream_queue;

/// The point an event marks. Fires once; streams that wait for it are parked here meanwhile.
class gate {
public:
  [[nodiscard]] bool passed() const { return passed_.load(std::memory_order_acquire); }
  /// Blocks the calling thread until the gate is passed.
  void wait() const { passed_.wait(false, std::memory_order_acquire); }
  /// Lets everybody through, now and later. Only the first call does something.
  void pass();
  /// Keeps `waiting` until the gate is passed, then returns it to its run queue; false if the gate is passed already.
  bool park(const std::shared_ptr<stream_queue>& waiting);

private:
  std::atomic<bool> passed_ = false;
  std::mutex mutex_;
  std::vector<std::shared_ptr<stream_queue>> parked_;
};

/// One thing in a stream: a task to run, a gate to wait for, or a gate to pass.
struct entry {
  enum class type : uint8_t { run, wait, pass };
  type what = type::run;
  uint64_t arrival = 0; ///< order among all streams of the lane
  std::function<void()> work = {};
  std::shared_ptr<gate> point = {};
};

/// What one stream has yet to do. Guarded by the mutex of its run queue, except `on_error`, which is called and
/// destroyed by one thread at a time.
struct stream_queue {
  std::shared_ptr<run_queue> home;
  std::function<void(std::exception_ptr)> on_error;
  std::deque<entry> pending;
  std::exception_ptr error; ///< what poisoned the stream
  bool parked = false;      ///< its next entry waits at a gate
};

/// The streams of one device and what they have to do. The lane thread always takes the entry that arrived first among
/// the streams that can go on, so work is first come first served and a stream that waits holds up nobody.
class run_queue {
public:
  /// How long an idle lane spins before it sleeps. A sleeping thread costs its waker a system call (about 1.5 µs) and
  /// 20–40 µs until it runs; the gap between two messages of one training step is shorter than this.
  static constexpr int64_t spin_nanoseconds = 50'000;

  /// Appends to a stream; any thread. A poisoned stream drops the entry (a gate is passed at once).
  void push(const std::shared_ptr<stream_queue>& queue, entry what);
  /// The gate that `queue` was parked at is passed.
  void unpark(const std::shared_ptr<stream_queue>& queue);
  /// What poisoned `queue`, or null.
  std::exception_ptr error_of(const stream_queue& queue);

  /// The lane thread: runs entries until `stop` has been called and nothing is left that can go on.
  void run();
  void stop();
  /// Without a thread: runs the next entry on the calling one; false where none can go on.
  bool step();
  /// Whether `step` would find something to run.
  bool has_work();

private:
  struct taken {
    std::shared_ptr<stream_queue> queue;
    entry what;
  };
  std::optional<taken> take();
  void execute(const taken& next);
  void poison(const std::shared_ptr<stream_queue>& queue, std::exception_ptr error) noexcept;
  void await_signal(uint32_t seen);
  void signal();

  std::mutex mutex_;
  std::vector<std::shared_ptr<stream_queue>> ready_; ///< streams with something to do that are not parked
  uint64_t arrivals_ = 0;
  std::atomic<uint32_t> signals_ = 0; ///< changes whenever there may be something new to do
  std::atomic<bool> stopping_ = false;
};

/// The one thread of a host device. Streams keep their lane alive until their last task has run.
class lane {
public:
  enum class driver : uint8_t { thread, caller };

  explicit lane(host_options options, driver by = driver::thread);
  lane(const lane&) = delete;
  lane& operator=(const lane&) = delete;
  ~lane();

  [[nodiscard]] const host_options& options() const { return options_; }
  [[nodiscard]] const std::shared_ptr<run_queue>& queue() const { return queue_; }

private:
  host_options options_;
  std::shared_ptr<run_queue> queue_; ///< shared with the thread, which may outlive the lane by a moment
  std::thread thread_;
};

} // namespace troupe::gpu::detail
