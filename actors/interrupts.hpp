#pragma once

#include <atomic>
#include <stop_token>
#include <thread>
#include <vector>

namespace troupe {

/// Who ends this process: a person or service that sends it a signal, or the process that started it as its worker.
enum class ended_by { signals, parent };

/// Turns SIGINT, SIGTERM and SIGHUP into a stop request while it lives; a second one ends the process at once, as the
/// signal would have. Must be made before any other thread, because threads inherit the mask that it sets.
///
/// With `ended_by::parent` only SIGTERM counts: a terminal's Ctrl-C goes to all processes of the job, and workers have
/// to live until their parent has finished its step.
class interrupts {
public:
  explicit interrupts(ended_by who);
  ~interrupts();
  interrupts(const interrupts&) = delete;
  interrupts& operator=(const interrupts&) = delete;

  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

private:
  void wait_for_signals();

  std::vector<int> signals_; ///< that count
  std::stop_source source_;
  std::atomic<bool> over_ = false;
  std::thread waiter_;
};

} // namespace troupe
