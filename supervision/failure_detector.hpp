#pragma once

#include <cstdint>
#include <deque>
#include <string_view>

#include "supervision/restart_window.hpp"

namespace troupe {

/// What silence says about a peer (T4, R8). Only `dead` is final.
enum class reachability : uint8_t {
  reachable,
  suspect,     ///< later than usual: nothing is done about it yet
  unreachable, ///< so late that others take over its work; it may come back
  dead,        ///< given up: what it says from now on changes nothing, and it is ended
};

std::string_view to_string(reachability state);

/// Judges a peer by the rhythm of its answers: the φ-accrual failure detector (Hayashibara et al. 2004), pure (R1). φ
/// is how many powers of ten speak against the silence being chance, given the answers so far, so deadlines follow the
/// measured round times. Ask it at a steady pace: a pause between two questions that is longer than that, because the
/// asking process was stopped or overloaded itself, does not count as silence of the peer, so a detector that was
/// paused convicts nobody.
class failure_detector {
public:
  struct options {
    nanoseconds pace = std::chrono::milliseconds{100}; ///< of heartbeats and of questions
    double threshold = 8; ///< the one knob: φ from which a peer is unreachable; suspect from half of it on
    /// No rhythm is taken for steadier than this; jitter of a busy machine.
    nanoseconds least_deviation = std::chrono::milliseconds{100};
    /// A peer is dead after so many times the silence that made it unreachable.
    double patience = 10;
  };

  explicit failure_detector(options o) : options_(o) {}

  /// The peer answered.
  void on_alive(time_point now);
  /// What is to be thought of it now. Dead stays dead.
  reachability judge(time_point now);

  [[nodiscard]] double phi() const;
  [[nodiscard]] nanoseconds silence() const { return silence_; }

private:
  void pass(time_point now);

  options options_;
  std::deque<double> intervals_; ///< of the last answers, in seconds; at most 100 (R13)
  time_point asked_;
  nanoseconds silence_{0}; ///< observed since the last answer
  nanoseconds at_unreachable_{0};
  reachability state_ = reachability::reachable;
};

} // namespace troupe
