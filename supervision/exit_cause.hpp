#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe {

/// How a child ended, as far as supervision tells ends apart.
enum class exit_kind : uint8_t {
  normal,          ///< it was done
  shutdown,        ///< it was asked to end
  error,           ///< it gave up and said why
  exception,       ///< an exception left one of its handlers
  kill,            ///< it was ended without being asked
  connection_lost, ///< the connection to its node broke; it may still run (R8)
  escalated,       ///< a supervisor that could not keep its children running
  stuck,           ///< it did not even end when killed: only ending its process helps (S6)
};

/// "normal", "shutdown", "connection lost", …
std::string_view to_string(exit_kind kind);

/// Why a child or a supervisor ended: its kind and the chain of causes, outermost first. Each link is a sentence
/// without a full stop: {"supervisor agents gave up: …", "agent/3 #5 ended by an exception: bad magic in shard 2"}.
struct exit_cause {
  exit_kind kind = exit_kind::normal;
  std::vector<std::string> chain;

  /// An end that calls for no attention: `transient` children are not restarted after it (S3).
  [[nodiscard]] bool is_clean() const { return kind == exit_kind::normal || kind == exit_kind::shutdown; }

  bool operator==(const exit_cause&) const = default;
};

/// This cause as the reason for a further one: `sentence` comes first, the kind is that of the outer end.
exit_cause caused(exit_kind kind, std::string sentence, const exit_cause& by);

/// One line: the chain joined by ": ", or the kind where there is no chain.
std::string to_string(const exit_cause& cause);

/// The chain for people, one link a line: "…\n  caused by …\n  caused by …".
std::string explain(const exit_cause& cause);

} // namespace troupe
