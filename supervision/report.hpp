#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "messages/ids.hpp"
#include "supervision/exit_cause.hpp"

namespace troupe {

/// What a supervisor did about an end or a failed start.
enum class decision : uint8_t {
  restart, ///< starts the child again, and with it those its strategy names
  replace, ///< has its actor go on with a new state: same handle, mailbox kept (T3)
  retry,   ///< a restart failed and is tried again (S5)
  leave,   ///< not started again: transient after a clean end or after a failed start by request; its spec is kept
  drop,    ///< not started again, spec and arguments dropped: temporary, or a dynamic child that did not start
  absorb,  ///< ended by itself while it was to be stopped anyway: nothing more to do
  end_supervisor, ///< a significant child ended: the supervisor stops (S7)
  escalate,       ///< the supervisor gives up and leaves the decision to its parent (S1, S4, S6)
};

/// "restarts it", "gives up", …: completes "supervisor x …".
std::string_view to_string(decision what);

/// What happened to one start of one child and what its supervisor decided (S9): the one shape of every report.
struct supervision_report {
  std::string supervisor; ///< path in the tree
  std::string child;      ///< id
  incarnation number;     ///< of the child
  exit_cause cause;
  decision what = decision::leave;

  bool operator==(const supervision_report&) const = default;
};

/// "agent/3 #5 of training/agents ended: bad magic in shard 2; training/agents restarts it".
std::string to_string(const supervision_report& report);

} // namespace troupe
