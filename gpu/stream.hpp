#pragma once

#include <exception>
#include <functional>
#include <memory>

#include "gpu/device.hpp"

namespace troupe::gpu {

/// Work for a stream. Runs on the lane thread with the device's OpenMP team.
using task = std::function<void()>;

/// Marks a point in a stream. Copyable; cheap.
class event {
public:
  [[nodiscard]] bool done() const;
  /// Blocks until the stream is past the point. For tests, benchmarks and teardown; never in a message handler (R9).
  void wait() const;

private:
  friend class stream;
  struct state;
  std::shared_ptr<state> state_;
};

/// An ordered lane of work, owned by one actor; nobody else enqueues on it. Move-only. The destructor waits for
/// nothing: tasks already enqueued still run (they own what they use), then the stream's state goes away.
///
/// A task that throws poisons the stream: tasks behind it are dropped (not run), `on_error` gets the exception once, on
/// the lane thread, and every later `enqueue` is dropped too, until the owner replaces the stream.
class stream {
public:
  using error_handler = std::function<void(std::exception_ptr)>;

  explicit stream(device dev, error_handler on_error);
  stream(stream&&) noexcept;
  stream& operator=(stream&&) noexcept;
  ~stream();

  [[nodiscard]] const device& where() const;

  /// Appends work. Never blocks; any thread, but one at a time.
  void enqueue(task work);

  /// Appends a callback that runs once everything before it has completed: the place to send the owner a message.
  /// It must be short. (On CUDA this is a host callback; on the host it is an ordinary task.)
  void on_complete(task callback);

  [[nodiscard]] event record();
  /// Work enqueued on this stream from now on starts only after `e` (which may belong to another stream).
  void wait(const event& e);

  /// Blocks until the stream is idle; rethrows what poisoned it. For tests, benchmarks and teardown (R9).
  void synchronize();

private:
  struct state;
  std::shared_ptr<state> state_;
};

} // namespace troupe::gpu
