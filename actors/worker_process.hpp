#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>

#include "messages/failure.hpp"

namespace troupe {

/// A process of this machine that hosts agents: `PROGRAM node --listen 127.0.0.1:0 --parent-pipe FD`. It ends when this object
/// goes away, and also when this process dies, because both close the pipe that it watches: no orphans. Move-only.
class worker_process {
public:
  /// Starts the process and returns at once. `program` empty: this program.
  static expected<worker_process> launch(const std::string& program);

  worker_process(worker_process&& other) noexcept;
  worker_process& operator=(worker_process&& other) noexcept;
  ~worker_process();

  /// Blocks until the process says on which port it listens, or ends, or 10 s have passed.
  expected<uint16_t> port();
  [[nodiscard]] pid_t pid() const { return pid_; }

private:
  worker_process(pid_t pid, int parent_pipe, int output) : pid_(pid), parent_pipe_(parent_pipe), output_(output) {}
  void close();

  pid_t pid_ = -1;
  int parent_pipe_ = -1; // write end; nothing is ever written
  int output_ = -1;      // the worker's standard output
};

} // namespace troupe
