#pragma once

#include <caf/actor.hpp>
#include <caf/message.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "supervision/decide.hpp"
#include "supervision/supervise.hpp"

namespace troupe {

/// The dynamic API of a running supervisor (S8), for code and actors of its process. Each call returns at once; `done`
/// is called exactly once, from the supervisor's actor, so an actor passes one that sends itself a message. Where the
/// supervisor ends before it answers, `done` gets `call_error::stopping`; where it has ended already, within the call.
class supervisor {
public:
  using on_done = std::function<void(const call_result&)>;

  explicit supervisor(caf::actor handle) : handle_(std::move(handle)) {}

  /// Adds a child after the others and starts it; done when it is ready. It is gone again if that fails, and when the
  /// supervisor itself is restarted (S10).
  /// `how` says how to treat it, as in `{.restart = temporary}`; its id is the child's name.
  void start_child(startable child, child_spec how, on_done done) const;

  /// Starts one more child of a simple_one_for_one supervisor's template; `argument` reaches its start function.
  void start_child(caf::message argument, on_done done) const;

  /// Stops a child; done when it has ended. Its spec is kept, unless it is temporary or comes from a template.
  void terminate_child(std::string id, on_done done) const;

  /// Starts a stopped child again; done when it is ready.
  void restart_child(std::string id, on_done done) const;

  /// Drops the spec of a stopped child.
  void delete_child(std::string id, on_done done) const;

  /// The children in start order. Empty if the supervisor has ended.
  void list_children(std::function<void(const std::vector<child_status>&)> done) const;
  void count_children(std::function<void(const child_counts&)> done) const;

  [[nodiscard]] const caf::actor& handle() const { return handle_; }

private:
  caf::actor handle_;
};

} // namespace troupe
