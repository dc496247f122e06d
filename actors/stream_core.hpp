#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "gpu/driver.hpp"
#include "supervision/pulse.hpp"

namespace troupe {

/// Bounds of one stream (R13).
struct stream_limits {
  uint32_t in_flight = 4; ///< pieces of work enqueued on the device
  uint32_t waiting = 16;  ///< further pieces; one more is refused
  /// The first piece in flight may take so long, from when it is the first. Longer: it is stuck.
  std::chrono::nanoseconds progress = std::chrono::minutes{1};
  std::chrono::nanoseconds pace = std::chrono::milliseconds{100}; ///< how often a busy stream is looked at
};

/// What has become of the work handed to a stream (I13): everything taken is in one of the others, or in flight.
struct stream_tally {
  uint64_t taken = 0;
  uint64_t done = 0;
  uint64_t failed = 0;  ///< by itself: out of memory, or refused by the device
  uint64_t refused = 0; ///< for want of credit
  uint64_t lost = 0;    ///< with the device
  uint32_t in_flight = 0;
  uint32_t waiting = 0;

  bool operator==(const stream_tally&) const = default;
};

/// A piece of work, by the order in which it came.
using stream_ticket = uint64_t;

/// What the shell of a stream does next.
namespace stream_action {
/// Enqueue the piece, and a callback behind it; then `on_enqueued`.
struct enqueue {
  stream_ticket which;
  bool operator==(const enqueue&) const = default;
};
/// Answer whoever sent the piece. Nothing of it is in use by the device any more, unless the device is lost.
struct answer {
  stream_ticket which;
  std::optional<gpu::device_failure> failed;
  bool operator==(const answer&) const = default;
};
/// The device is lost, or stuck: this process cannot go on with it (T6).
struct end_process {
  gpu::device_failure why;
  bool operator==(const end_process&) const = default;
};
/// Look at the stream after `stream_limits::pace`.
struct look_later {
  bool operator==(const look_later&) const = default;
};
} // namespace stream_action
using stream_actions = std::vector<
  std::variant<stream_action::enqueue, stream_action::answer, stream_action::end_process, stream_action::look_later>>;

/// Who may enqueue when, who is answered what, and when a stream counts as stuck: the pure core of `stream_owner` (R1).
/// Work is enqueued in the order in which it came and answered in that order; only what is refused is answered at once.
/// A piece that failed while it was enqueued is answered when what it had enqueued until then is done.
class stream_core {
public:
  /// `name`: of the device, for sentences.
  stream_core(std::string name, stream_limits limits);

  /// A piece has come; its ticket is one higher than that of the piece before. `what` it is, for sentences.
  stream_actions on_work(std::string what);
  /// The piece of the last `enqueue` is on the stream, or as much of it as went well.
  stream_actions on_enqueued(std::optional<gpu::device_failure> failed, time_point now);
  /// The callback of the first piece in flight came.
  stream_actions on_done(time_point now);
  /// The time of a `look_later` has passed. `failed`: what the stream says about itself.
  stream_actions on_look(std::optional<gpu::device_failure> failed, time_point now);

  [[nodiscard]] stream_tally tally() const;

private:
  struct piece {
    stream_ticket which;
    std::string what;
    std::optional<gpu::device_failure> failed;
  };

  void enqueue_next(stream_actions& actions);
  stream_actions lose(gpu::device_failure why);
  [[nodiscard]] uint64_t turns() const { return 2 * finished_ + (in_flight_.empty() ? 0 : 1); }

  std::string name_;
  stream_limits limits_;
  stream_ticket next_ = 0;
  std::deque<piece> in_flight_;
  std::deque<piece> waiting_;
  stream_tally tally_;
  stuck_watch watch_;
  uint64_t finished_ = 0;  ///< pieces that were in flight
  bool enqueuing_ = false; ///< the last in flight is not on the stream yet
  bool looking_ = false;
  std::optional<gpu::device_failure> lost_;
};

} // namespace troupe
