#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "messages/failure.hpp"
#include "supervision/spec.hpp"

namespace troupe {

/// What a fault point can be told to do.
enum class fault_kind : uint8_t {
  exception,    ///< an exception leaves the handler
  error,        ///< the actor ends with an error
  kill_actor,   ///< the actor ends as if it had been killed
  kill_process, ///< SIGKILL
  stop_process, ///< SIGSTOP, and SIGCONT after a while
  stall,        ///< the thread does nothing for a while
  nan,          ///< a number becomes NaN
  poison,       ///< numbers become their opposite, a thousand times as large
  drop,         ///< the message is lost
  delay,        ///< the message is handled after a while
  duplicate,    ///< the message comes twice
  disk_full,    ///< the write fails
  torn_write,   ///< half of the bytes are written, and then the write fails
  leave,        ///< nothing goes wrong: the actor is told to leave in order, as when its host is wanted back
};

/// "kill", "stop-process", …: as in a fault's text.
std::string_view to_string(fault_kind kind);

/// A set of kinds.
class fault_kinds {
public:
  constexpr fault_kinds(std::initializer_list<fault_kind> kinds) {
    for (const auto k : kinds)
      bits_ |= bit(k);
  }
  [[nodiscard]] constexpr bool contains(fault_kind k) const { return (bits_ & bit(k)) != 0; }
  friend constexpr fault_kinds operator|(fault_kinds a, fault_kinds b) {
    a.bits_ |= b.bits_;
    return a;
  }

private:
  static constexpr uint32_t bit(fault_kind k) { return 1U << static_cast<uint32_t>(k); }
  uint32_t bits_ = 0;
};

/// One thing that is to go wrong, once.
struct fault {
  std::string where;            ///< a role, "agent/1", or a fault point, "actors.agent.before_push"
  std::optional<uint64_t> step; ///< from this step of the run on; at once, if there is none
  fault_kind kind = fault_kind::exception;
  nanoseconds time{0}; ///< of stop_process, stall and delay

  bool operator==(const fault&) const = default;
};

/// Reads WHERE[@step=N]:KIND[=TIME], such as "agent/1@step=20:kill" or "actors.agent.before_push:stall=2s"; else one
/// sentence that says what is wrong and what to write.
expected<fault> parse_fault(const std::string& text);
std::string to_string(const fault& what);

} // namespace troupe
