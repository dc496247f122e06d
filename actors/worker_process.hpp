#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>

#include "messages/failure.hpp"

namespace troupe {

/// Exit code of a process that ended itself because a handler in it did not return (T5).
inline constexpr int stuck_exit_code = 86;
/// Exit code of a process that ended itself because its device was lost or stuck (T6).
inline constexpr int device_lost_exit_code = 87;

/// How to start a worker process.
struct worker_options {
  std::string program = {};       ///< called as `PROGRAM node …`; empty: this program
  std::string host = "127.0.0.1"; ///< address it listens on
  int threads = 0;                ///< per agent; 0: as the job says
  std::string certs = {};         ///< folder with its certificate, the node's
  std::string secret = {};        ///< that who connects to it has to know; empty: none
};

/// A process of this machine that hosts an agent: `PROGRAM node --listen 127.0.0.1:0 --parent-pipe FD`. It ends when
/// this object goes away, and also when this process dies, because both close the pipe that it watches, and the kernel
/// kills it should it not get to see that: no orphans. Move-only.
class worker_process {
public:
  /// Starts the process and returns at once. The calling thread must live as long as the process.
  static expected<worker_process> launch(const worker_options& options);

  worker_process(worker_process&& other) noexcept;
  worker_process& operator=(worker_process&& other) noexcept;
  ~worker_process();

  /// Blocks until the process says on which port it listens, or ends, or 10 s have passed.
  expected<uint16_t> port();
  [[nodiscard]] pid_t pid() const { return pid_; }

  /// Waits for the process to end, and says how it did: "its process 123 was ended by signal 9 (Killed)". None where it
  /// has not ended by then.
  std::optional<std::string> ended(std::chrono::milliseconds limit);
  /// Asks the process to end when its agent has left (SIGTERM).
  void terminate() const;
  /// Ends the process without asking.
  void kill() const;

private:
  worker_process(pid_t pid, int parent_pipe, int output) : pid_(pid), parent_pipe_(parent_pipe), output_(output) {}
  void close();

  pid_t pid_ = -1;
  std::optional<int> status_; // of waitpid, once it has ended
  int parent_pipe_ = -1;      // write end; nothing is ever written
  int output_ = -1;           // the worker's standard output
};

} // namespace troupe
