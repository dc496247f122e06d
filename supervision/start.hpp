#pragma once

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/fwd.hpp>
#include <caf/message.hpp>

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "messages/failure.hpp"
#include "messages/ids.hpp"
#include "supervision/exit_cause.hpp"
#include "supervision/in_place.hpp"

namespace troupe {

/// Tells a supervisor how one start of a child went, for starts that take their time: from any thread or actor, once.
/// What a start says that was given up meanwhile changes nothing, and its actor is ended (T2).
class start_notice {
public:
  start_notice(caf::actor supervisor, std::string id, incarnation number)
    : supervisor_(std::move(supervisor)), id_(std::move(id)), number_(number) {}

  /// The child can be used. `child` must be the handle given to `started::later`, if one was.
  template <class Handle>
  void ready(const Handle& child) const {
    tell_ready(caf::actor_cast<caf::actor>(child));
  }

  /// There is no child, and why. A child whose handle is known to the supervisor ends itself instead.
  void failed(failure why) const;

  /// The child, ready or not, is out of reach for good: it counts as ended with this cause.
  void lost(exit_cause cause) const;

  [[nodiscard]] const caf::actor& supervisor() const { return supervisor_; }

private:
  void tell_ready(caf::actor child) const;

  caf::actor supervisor_;
  std::string id_;
  incarnation number_;
};

/// What a start function is given.
struct start_context {
  caf::actor_system& system;
  std::string id;        ///< the child's, such as "agent/0"
  incarnation number;    ///< higher than that of every earlier start of this id (T2)
  caf::message argument; ///< what `supervisor::start_child` was called with, for children of a template
  start_notice notice;   ///< only for starts that return `started::later`

  /// For `spawn_in_place`: failures of the child's state go to this supervisor.
  [[nodiscard]] in_place_link link() const {
    if (!recent)
      recent = std::make_shared<recent_messages>();
    return {notice.supervisor(), id, number, nullptr, recent};
  }
  mutable std::shared_ptr<recent_messages> recent; ///< of the child, once there is a link
};

/// What a start function returns: an actor handle of any type (the child is ready), a `failure`, or `later`.
class started {
public:
  template <class Handle>
  requires requires(const Handle& h) { caf::actor_cast<caf::actor>(h); }
  started(const Handle& child) : child_(caf::actor_cast<caf::actor>(child)), ready_(true) {}
  started(failure why) : why_(std::move(why)) {}
  started(tl::unexpected<failure> why) : why_(std::move(why.value())) {}
  template <class Handle>
  started(expected<Handle> child) : started(child ? started{*child} : started{std::move(child.error())}) {}

  /// The child is on its way: `start_context::notice` will tell. Without a handle, as when it is being spawned on
  /// another node, nothing is watched until then but the child's start limit.
  static started later() { return {}; }

  /// As `later()`, for an actor that exists and reports ready by itself. It is watched from now on: if it ends before
  /// it is ready, the start has failed with its reason.
  template <class Handle>
  static started later(const Handle& child) {
    started result;
    result.child_ = caf::actor_cast<caf::actor>(child);
    return result;
  }

  [[nodiscard]] const caf::actor& child() const { return child_; }
  [[nodiscard]] bool is_ready() const { return ready_; }
  /// Set if the start has failed.
  [[nodiscard]] const std::optional<failure>& why() const { return why_; }

private:
  started() = default;

  caf::actor child_;
  bool ready_ = false;
  std::optional<failure> why_;
};

/// Starts one incarnation of a child. Runs in the supervisor's actor and must not block (R9): what takes time returns
/// `started::later`. An exception that leaves it is a failed start.
using start_function = std::function<started(const start_context&)>;

} // namespace troupe
