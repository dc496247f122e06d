#pragma once

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "messages/failure.hpp"
#include "supervision/exit_cause.hpp"
#include "supervision/report.hpp"
#include "supervision/supervise.hpp"
#include "supervision/supervisor.hpp"

namespace troupe {

class tree_record;

/// Why a tree ended (T7).
struct tree_end {
  /// `shutdown` after `running_tree::stop` or the end of a significant child of the root, whose chain then names it;
  /// anything else is a failure.
  exit_cause cause;
  bool was_ready = false;               ///< all static children had been ready once
  uint64_t restarts = 0;                ///< over the whole tree, failed attempts included
  std::vector<supervision_report> last; ///< the last reports before the end, oldest first; at most 64
  uint64_t late_notices = 0;            ///< of older incarnations, dropped by the supervisors (T2, I13)

  [[nodiscard]] bool failed() const { return !cause.is_clean(); }
};

/// The one report of a failed run: the chain of causes and what the supervisors did before, ready to print.
std::string to_string(const tree_end& end);

/// Called from actors of the tree, one call of each kind at a time; keep them short.
struct tree_observer {
  std::function<void()> on_ready;                           ///< all static children are ready, once
  std::function<void(const supervision_report&)> on_report; ///< S9
  std::function<void(const tree_end&)> on_end;              ///< once, after all children have ended
};

/// A handle on a tree that runs. Copies refer to the same tree; dropping them does not stop it.
class running_tree {
public:
  running_tree(caf::actor root, std::shared_ptr<tree_record> record)
    : root_(std::move(root)), record_(std::move(record)) {}

  /// Stops everything in reverse start order, then the tree ends with `shutdown`; also while it is still starting.
  void stop() const;
  /// As `stop`, with a cause of the caller's: the tree ends with it.
  void stop(const exit_cause& cause) const;

  /// Restarts so far over the whole tree, failed attempts included.
  [[nodiscard]] uint64_t restarts() const;
  /// The supervisor at a path, such as "training/agents", for the dynamic API. Empty while there is none: look again
  /// after it has been restarted.
  [[nodiscard]] std::optional<supervisor> find(const std::string& path) const;
  [[nodiscard]] const caf::actor& root() const { return root_; }

private:
  caf::actor root_;
  std::shared_ptr<tree_record> record_;
};

/// Starts the tree's children in `system` in order and returns at once; `observer.on_ready` tells when all are ready.
/// Refuses a tree that does not pass `validate`.
expected<running_tree> run_tree(caf::actor_system& system, const supervision_tree& tree, tree_observer observer);

} // namespace troupe
