#pragma once

#include <memory>
#include <string>

#include "messages/failure.hpp"

namespace troupe::gpu {

namespace detail {
class lane;
}

/// Options of a host device.
struct host_options {
  int index = 0;   ///< n of "cpu:n"
  int threads = 1; ///< size of the OpenMP team that every operation on this device runs with
};

/// A place that computes: `cpu:N` is a team of threads of this process. A device is a cheap shared handle. All streams
/// of one host device share its one lane thread (and that thread's OpenMP team), as CUDA streams share one GPU:
/// operations of one stream run in order, operations of different streams interleave, and no core is ever claimed
/// twice.
class device {
public:
  /// Starts the lane thread.
  static device host(host_options options);
  /// A device without a thread, for simulations: its work runs one piece at a time, when and on the thread where `step`
  /// is called, with that thread's OpenMP team. Nobody may block on its streams.
  static device stepped(host_options options);

  [[nodiscard]] std::string name() const; ///< "cpu:0"
  [[nodiscard]] int threads() const;
  /// True where this device computes bf16 at least as fast as f32 (AVX-512 BF16 or AMX on a CPU).
  [[nodiscard]] bool has_bf16() const;

  /// Of a stepped device: runs the piece of work that is next; false where none can go on.
  bool step() const; // NOLINT(modernize-use-nodiscard)
  /// Whether `step` would find something to run.
  [[nodiscard]] bool has_work() const;

  [[nodiscard]] detail::lane& lane() const { return *lane_; }

private:
  explicit device(std::shared_ptr<detail::lane> lane) : lane_(std::move(lane)) {}
  std::shared_ptr<detail::lane> lane_;
};

} // namespace troupe::gpu
