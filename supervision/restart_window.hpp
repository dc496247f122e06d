#pragma once

#include <chrono>
#include <deque>

#include "supervision/spec.hpp"

namespace troupe {

/// A point on the monotonic clock that CAF's actors use; virtual in tests.
using time_point = std::chrono::time_point<std::chrono::steady_clock, nanoseconds>;

/// Counts restarts within a sliding window (S4). Holds at most limit + 1 entries.
class restart_window {
public:
  explicit restart_window(restart_limit limit) : limit_(limit) {}

  /// Notes a restart at `now`. False: it is one more than the limit grants. An entry exactly `period` old still counts.
  [[nodiscard]] bool grants(time_point now) {
    while (!entries_.empty() && now - entries_.front() > limit_.period)
      entries_.pop_front();
    entries_.push_back(now);
    return entries_.size() <= limit_.restarts;
  }

  /// Restarts within the window as of the last one noted, itself included.
  [[nodiscard]] size_t count() const { return entries_.size(); }

private:
  restart_limit limit_;
  std::deque<time_point> entries_;
};

} // namespace troupe
