#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "messages/ids.hpp"
#include "supervision/fault.hpp"

namespace troupe {

/// A place in the program where something can be made to go wrong.
struct fault_place {
  std::string_view name; ///< "folder.file.place": "actors.agent.before_push"
  std::string_view role; ///< kind of the role that passes it: "agent"
  fault_kinds can;       ///< what it can carry out
};

/// Who passes it, and when.
struct fault_moment {
  role_id role;
  troupe::incarnation incarnation; ///< 0: it does not matter
  uint64_t step = 0;
};

/// What a fault point has to carry out itself; the rest has happened within `pass`.
struct injected {
  std::optional<fault_kind> kind;
  nanoseconds time{0};

  [[nodiscard]] bool is(fault_kind k) const { return kind == k; }
};

/// Faults that are to happen, each once: in this process or, where their flag is shared, in any of those that share it.
/// Of the faults of one role that end it (exception, error, kill, kill-process), the n-th waits for its n-th
/// incarnation. Thread-safe; process-wide, as roles do not know what a test arms.
class fault_points {
public:
  /// Any at all: the one thing that a point costs when nothing is armed.
  static bool armed() { return armed_.load(std::memory_order_relaxed); }

  /// A program passes a point. Exceptions are thrown, processes killed or stopped and threads stalled here, where the
  /// place can stand it; what is left is the place's to do.
  static injected pass(const fault_place& where, const fault_moment& when);

  /// `done` is set when the fault happens, and keeps it from happening while it is.
  static void arm(const fault& what, std::shared_ptr<std::atomic<bool>> done = std::make_shared<std::atomic<bool>>());
  static void disarm();

private:
  static std::atomic<bool> armed_;
};

/// Arms faults for as long as it lives.
class armed_faults {
public:
  explicit armed_faults(const std::vector<fault>& faults) {
    for (const auto& f : faults)
      fault_points::arm(f);
  }
  armed_faults(const armed_faults&) = delete;
  armed_faults& operator=(const armed_faults&) = delete;
  ~armed_faults() { fault_points::disarm(); }
};

/// What to end an actor with, and what can be done anywhere.
inline constexpr fault_kinds process_faults{fault_kind::kill_process, fault_kind::stop_process, fault_kind::stall,
                                            fault_kind::exception};
inline constexpr fault_kinds actor_faults = process_faults | fault_kinds{fault_kind::error, fault_kind::kill_actor};
inline constexpr fault_kinds message_faults{fault_kind::drop, fault_kind::delay, fault_kind::duplicate};

} // namespace troupe

/// A place where something can be made to go wrong, by a test, by `troupe train --fault` or by job_options::faults:
///
///     if (TROUPE_FAULT(places::agent_before_push, role, incarnation, step).is(fault_kind::drop)) …
///
/// Inert unless something is armed: one relaxed load.
#define TROUPE_FAULT(place, ...)                                                                                       \
  (::troupe::fault_points::armed() ? ::troupe::fault_points::pass(place, {__VA_ARGS__}) : ::troupe::injected{})
