#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <string>

namespace troupe {

/// Lines on who was not let through. At most 20 in 10 s (R13): of the others, the next line says how many there were,
/// or the last one. Thread-safe.
class link_log {
public:
  static constexpr int most_lines = 20;
  static constexpr auto span = std::chrono::seconds{10};
  using time_point = std::chrono::steady_clock::time_point;

  /// Empty: to standard error.
  explicit link_log(std::function<void(const std::string&)> to);
  ~link_log();
  link_log(const link_log&) = delete;
  link_log& operator=(const link_log&) = delete;

  void refused(const std::string& from, const std::string& why, time_point now = std::chrono::steady_clock::now());

private:
  std::mutex mutex_;
  std::function<void(const std::string&)> to_;
  time_point since_;
  int lines_ = 0;
  uint64_t untold_ = 0;
};

} // namespace troupe
