#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <poll.h>
#include <string>
#include <thread>
#include <vector>

#include "actors/link_log.hpp"
#include "actors/link_session.hpp"

namespace troupe {

/// What all connections of a process share.
struct link_process {
  std::shared_ptr<const link_settings> settings;
  uint64_t process = 0;                       ///< see `link_hello::process`
  std::shared_ptr<std::atomic<size_t>> peers; ///< connections that are through
  std::shared_ptr<link_log> log;
};

/// Waits for connections to a port, on a thread of its own, and lets through who is of the job: strangers, however
/// many, cost neither CAF's thread nor more memory than `link_limits` says. Who is dropped gets a line in the log with
/// its address and the reason.
class link_gate {
public:
  /// Called on the gate's thread, for each connection that is through.
  using admit = std::function<void(std::unique_ptr<link_channel>, const std::string& from)>;

  /// Owns the listening socket from here on.
  link_gate(int listening, link_process process, admit on_peer);
  ~link_gate();
  link_gate(const link_gate&) = delete;
  link_gate& operator=(const link_gate&) = delete;

  /// Lets nobody in from now on. Does not wait for the thread.
  void close();

private:
  using clock = std::chrono::steady_clock;
  struct stranger {
    stranger(int socket, const link_process& process);

    std::string from;
    clock::time_point deadline;
    link_session session;
    link_session::needs wants = link_session::needs::input;
  };

  void run();
  [[nodiscard]] int milliseconds_left() const;
  void take_new();
  void make_room();
  void go_on(std::list<stranger>::iterator who);
  void drop(std::list<stranger>::iterator who, const std::string& why);

  int listening_;
  int wake_;
  link_process process_;
  admit on_peer_;
  std::list<stranger> strangers_; // the oldest first
  bool is_out_of_sockets_ = false;
  std::atomic<bool> closed_ = false;
  std::thread thread_;
};

} // namespace troupe
