#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace troupe::test {

/// A program that a test runs, with its standard output and error caught. Killed, if it still runs, by the destructor.
class process {
public:
  /// Starts `command` (its first word is the program's path) in `folder`.
  process(std::vector<std::string> command, const std::string& folder);
  ~process();
  process(const process&) = delete;
  process& operator=(const process&) = delete;

  void send(int signal) const;
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// The processes that it has started and that have not been waited for.
  [[nodiscard]] std::vector<pid_t> children() const;

  /// Reads standard output until it holds `text`; false when it ends, or the deadline passes, without.
  bool wait_for_output(const std::string& text, std::chrono::seconds deadline);

  /// Reads standard output while `condition` does not hold; false when the deadline passes without. It is asked every 5
  /// ms.
  bool wait_until(const std::function<bool()>& condition, std::chrono::seconds deadline);

  /// Reads to the end. The exit code, or minus the number of the signal that ended it; SIGKILL once the deadline is
  /// past.
  int wait(std::chrono::seconds deadline);

  [[nodiscard]] const std::string& out() const { return out_; }
  [[nodiscard]] const std::string& err() const { return err_; }

private:
  /// Reads what there is, waiting for some; false when both ends are closed or the deadline is past.
  bool read_some(std::chrono::steady_clock::time_point deadline);

  pid_t pid_ = -1;
  int out_pipe_ = -1;
  int err_pipe_ = -1;
  std::string out_;
  std::string err_;
};

} // namespace troupe::test
