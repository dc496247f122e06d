#include "supervision/failure_detector.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace troupe {

namespace {

constexpr size_t window = 100;

double seconds(nanoseconds t) {
  return std::chrono::duration<double>(t).count();
}

} // namespace

std::string_view to_string(reachability state) {
  switch (state) {
  case reachability::reachable:
    return "reachable";
  case reachability::suspect:
    return "suspect";
  case reachability::unreachable:
    return "unreachable";
  case reachability::dead:
    return "dead";
  }
  return "unknown";
}

/// Adds what passed since the last look to the silence, but no pause of this process's own.
void failure_detector::pass(time_point now) {
  if (asked_ != time_point{})
    silence_ += std::clamp(now - asked_, nanoseconds{0}, 2 * options_.pace);
  asked_ = now;
}

void failure_detector::on_alive(time_point now) {
  pass(now);
  if (state_ == reachability::dead)
    return;
  // A silence that was held against the peer is no part of its rhythm.
  if (state_ != reachability::unreachable) {
    intervals_.push_back(seconds(silence_));
    if (intervals_.size() > window)
      intervals_.pop_front();
  }
  silence_ = nanoseconds{0};
  state_ = reachability::reachable;
}

double failure_detector::phi() const {
  auto n = static_cast<double>(intervals_.size());
  auto mean = seconds(options_.pace);
  auto deviation = 0.0;
  if (!intervals_.empty()) {
    mean = std::max(mean, std::accumulate(intervals_.begin(), intervals_.end(), 0.0) / n);
    for (auto x : intervals_)
      deviation += (x - mean) * (x - mean) / n;
  }
  deviation = std::max(std::sqrt(deviation), seconds(options_.least_deviation));
  // P(a normal variable is later than this); erfc keeps its precision in the tail.
  auto later = 0.5 * std::erfc((seconds(silence_) - mean) / (deviation * std::sqrt(2.0)));
  return later > 0 ? -std::log10(later) : 300;
}

reachability failure_detector::judge(time_point now) {
  pass(now);
  if (state_ == reachability::dead)
    return state_;
  auto p = phi();
  if (p < options_.threshold) {
    state_ = p < options_.threshold / 2 ? reachability::reachable : reachability::suspect;
    return state_;
  }
  if (state_ != reachability::unreachable)
    at_unreachable_ = silence_;
  state_ =
    seconds(silence_) > options_.patience * seconds(at_unreachable_) ? reachability::dead : reachability::unreachable;
  return state_;
}

} // namespace troupe
