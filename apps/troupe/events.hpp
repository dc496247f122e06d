#pragma once

#include <cstdio>
#include <memory>
#include <mutex>
#include <string>

#include "actors/job.hpp"
#include "messages/failure.hpp"

namespace troupe::command {

/// Writes what happens in a run to a file, as it happens: a JSON object a line, with the time in seconds since 1970.
/// Thread-safe.
class event_log {
public:
  /// An empty path: nothing is written. A file that is there already is replaced.
  static expected<event_log> open(const std::string& path);

  void write(const step_progress& at);
  void write(const run_event& what);

private:
  struct close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  void line(const std::string& text);

  std::unique_ptr<std::FILE, close> file_;
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();
};

} // namespace troupe::command
