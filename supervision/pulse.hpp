#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "supervision/restart_window.hpp"

namespace troupe {

/// Shows other threads whether an actor gets on with its messages: odd while it handles one, higher with each. Written
/// by the actor's thread alone.
class pulse {
public:
  void begin() { turns_.store(turns_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  void end() { begin(); }
  [[nodiscard]] uint64_t turns() const { return turns_.load(std::memory_order_relaxed); }

private:
  std::atomic<uint64_t> turns_ = 0;
};

/// Finds a handler that does not return (T5). Asked at a steady pace, it adds up for how long it has seen the same
/// message being handled. A pause of the asking thread itself counts as one turn of that pace, so a process that was
/// stopped and goes on convicts nobody.
class stuck_watch {
public:
  struct options {
    nanoseconds limit = std::chrono::minutes{1};
    nanoseconds pace = std::chrono::seconds{1};
  };

  explicit stuck_watch(options o) : options_(o) {}

  /// True: the message has been handled for longer than the limit.
  bool observe(uint64_t turns, time_point now) {
    auto passed = last_asked_ == time_point{} ? nanoseconds{0} : std::min(now - last_asked_, 2 * options_.pace);
    last_asked_ = now;
    if (turns != seen_ || turns % 2 == 0) {
      seen_ = turns;
      busy_ = nanoseconds{0};
      return false;
    }
    busy_ += passed;
    return busy_ > options_.limit;
  }

private:
  options options_;
  uint64_t seen_ = 0;
  nanoseconds busy_{0};
  time_point last_asked_;
};

} // namespace troupe
