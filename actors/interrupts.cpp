#include "actors/interrupts.hpp"

#include <csignal>
#include <pthread.h>
#include <unistd.h>

namespace troupe {

namespace {

sigset_t set_of(const std::vector<int>& signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals)
    sigaddset(&set, signal);
  return set;
}

/// Ends the process by `signal`, so that the parent sees what happened.
[[noreturn]] void end_by(int signal) {
  std::signal(signal, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  std::raise(signal);
  _exit(128 + signal);
}

} // namespace

interrupts::interrupts(ended_by who) {
  if (who == ended_by::parent) {
    for (const int signal : {SIGINT, SIGHUP})
      std::signal(signal, SIG_IGN);
    signals_ = {SIGTERM};
  } else {
    signals_ = {SIGINT, SIGTERM, SIGHUP};
  }
  const auto set = set_of(signals_);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  waiter_ = std::thread([this] { wait_for_signals(); });
}

interrupts::~interrupts() {
  over_ = true;
  pthread_kill(waiter_.native_handle(), signals_.front()); // wakes its sigwait
  waiter_.join();
}

void interrupts::wait_for_signals() {
  const auto set = set_of(signals_);
  for (;;) {
    int signal = 0;
    if (sigwait(&set, &signal) != 0)
      continue;
    if (over_)
      return;
    if (!source_.request_stop())
      end_by(signal); // the second
  }
}

} // namespace troupe
