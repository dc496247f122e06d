#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "gpu/driver.hpp"

namespace troupe::gpu {

namespace detail {
class fake_engine;
}

/// What a fake device can be told to do wrong.
enum class fake_fault : uint8_t {
  out_of_memory,  ///< an allocation is refused, however much is free; counts allocations
  illegal_access, ///< a piece of work writes where it must not: the device is lost; counts launches and copies
  ecc_error,      ///< a piece of work meets a bit that the memory cannot correct: lost, too
  hang,           ///< a piece of work never ends; its stream stands still, others go on
};

struct fake_options {
  std::string name = "fake:0";
  size_t memory = size_t{1} << 30;         ///< bytes
  std::chrono::nanoseconds latency{5'000}; ///< of each piece of work
  double bytes_per_second = 1e12;          ///< that kernels and copies move
  enum class clock : uint8_t { stepped, real } time = clock::stepped;
};

/// A device without a GPU: it computes with the host's kernels on memory of the host, keeps what a GPU keeps to — the
/// order of a stream, memory that is given back in that order, a limit, errors that stay — and fails where it is told
/// to. Streams run beside each other, each piece of work for as long as `fake_options` say: on a virtual clock, when
/// and on the thread where `step` or `pass` is called, or on the real one and a thread of its own.
class fake_device final : public driver {
public:
  explicit fake_device(fake_options options = {});
  ~fake_device() override;

  [[nodiscard]] std::string name() const override;
  [[nodiscard]] device_result<memory_state> memory() const override;
  [[nodiscard]] device_result<std::shared_ptr<device_stream>> open_stream(stream_priority priority) override;

  /// The next but `after` of what the fault counts goes wrong. One plan per kind: the last counts.
  void plan(fake_fault what, uint64_t after = 0);

  /// Virtual clock: finishes the piece of work that is done first; false where none can go on.
  bool step(); // NOLINT(modernize-use-nodiscard)
  /// Virtual clock: finishes what is done within `time`.
  void pass(std::chrono::nanoseconds time);
  /// Since the device was made.
  [[nodiscard]] std::chrono::nanoseconds now() const;

  /// What exists on the device.
  struct counts {
    size_t streams = 0; ///< open, or closed with work left
    size_t bytes = 0;   ///< of its memory, in use
    size_t pinned_bytes = 0;
    size_t pending = 0;    ///< pieces of work and callbacks that have not run
    uint64_t launched = 0; ///< kernels and copies so far
    bool operator==(const counts&) const = default;
  };
  [[nodiscard]] counts count() const;

protected:
  [[nodiscard]] device_result<std::shared_ptr<void>> pin(size_t bytes) override;

private:
  std::shared_ptr<detail::fake_engine> engine_;
};

} // namespace troupe::gpu
