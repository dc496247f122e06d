#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "supervision/restart_window.hpp"

namespace troupe {

/// Timers of which most are cancelled before they are due. What is cancelled stays in the heap until it is on top, or
/// until it is more than half of it, so both setting a later one and cancelling cost O(1).
class timers {
public:
  void set(uint64_t token, time_point due) {
    due_.emplace(token, due);
    heap_.emplace_back(due, token);
    std::push_heap(heap_.begin(), heap_.end(), std::greater{});
  }

  void cancel(uint64_t token) {
    if (due_.erase(token) > 0 && heap_.size() > 2 * due_.size() + 64) {
      std::erase_if(heap_, [&](const auto& x) { return !due_.contains(x.second); });
      std::make_heap(heap_.begin(), heap_.end(), std::greater{});
    }
  }

  /// When the first is due.
  [[nodiscard]] std::optional<time_point> first() {
    while (!heap_.empty() && !due_.contains(heap_.front().second))
      pop();
    return heap_.empty() ? std::nullopt : std::optional{heap_.front().first};
  }

  /// Takes out the first, if it is due.
  [[nodiscard]] std::optional<uint64_t> next_due(time_point now) {
    if (const auto at = first(); !at || *at > now)
      return std::nullopt;
    const auto token = heap_.front().second;
    due_.erase(token);
    pop();
    return token;
  }

  void clear() {
    due_.clear();
    heap_.clear();
  }

private:
  void pop() {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater{});
    heap_.pop_back();
  }

  std::unordered_map<uint64_t, time_point> due_; // by token
  std::vector<std::pair<time_point, uint64_t>> heap_;
};

} // namespace troupe
