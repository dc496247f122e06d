#pragma once

#include <cstdio>
#include <functional>
#include <string>

#include "actors/job.hpp"

namespace troupe::command {

/// "950", "12,345".
std::string with_commas(uint64_t number);
/// "0:07", "12:30", "1:02:03" from seconds; "?" where there is no telling.
std::string clock_time(double seconds);
/// Seconds left when `done` of `total` steps since the start of the process took `elapsed` seconds; NaN before the
/// first.
double seconds_left(uint64_t done, uint64_t remaining, double elapsed);

/// "epoch 2/3  step 137/188  loss 0.1234  accuracy 96.1 %  12,345 samples/s  0:05 left"
std::string step_line(const step_progress& at, double seconds_left);
/// "epoch 2/3  test accuracy 97.20 %  test loss 0.0911  after 0:12"
std::string epoch_line(const epoch_progress& at, uint64_t epochs);
/// What is about to run: "lenet on digits  2 agents  batch 128  …"
std::string opening_line(const job_options& job);
/// What came of it.
std::string closing_line(const job_options& job, const job_report& report);

/// Where progress is shown and how.
struct progress_style {
  std::FILE* out = stdout;
  bool live = false;    ///< rewrite one line, as a terminal can; else add lines now and then
  size_t columns = 100; ///< of the terminal
  bool quiet = false;
};

/// Shows a run as it goes. Called from one thread. Seconds come from `now`, which must not go back.
class progress {
public:
  progress(progress_style style, std::function<double()> now);

  void show(const step_progress& at);
  void show(const epoch_progress& at);
  /// A line of its own: a note, the opening, the closing.
  void say(const std::string& line);
  /// Takes the live line away.
  void clear();

private:
  [[nodiscard]] bool due(const step_progress& at);

  progress_style style_;
  std::function<double()> now_;
  double started_;
  double last_shown_ = -1e9;
  uint64_t first_step_ = 0;
  uint64_t epochs_ = 0;
  bool line_stands_ = false;
};

} // namespace troupe::command
