#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <caf/actor_cast.hpp>
#include <caf/actor_control_block.hpp>

#include "messages/ids.hpp"
#include "messages/nodes.hpp"

namespace troupe {

/// Where the roles of a job are, as this node knows it (R2): a name becomes a handle at the moment of sending, so that
/// a handle gone stale is a look-up and not an error. Thread-safe; one per job and node.
class directory {
public:
  using listener = std::function<void(const bind_role&)>;

  /// A role has been started (again). Lower incarnations than the known one change nothing.
  void bind(const bind_role& entry);

  /// Binds a role that has just been started here, and returns its handle: what a start function ends with.
  template <class Handle>
  Handle announce(const role_id& role, incarnation number, Handle handle) {
    bind({role, number, caf::actor_cast<caf::strong_actor_ptr>(handle)});
    return handle;
  }

  /// Null where the role is not known here.
  [[nodiscard]] caf::strong_actor_ptr find(const role_id& role) const;
  [[nodiscard]] std::vector<bind_role> entries() const;
  [[nodiscard]] std::optional<bind_role> entry(const role_id& role) const;

  /// The role as a typed handle; invalid where it is not known here.
  template <class Handle>
  [[nodiscard]] Handle find_as(const role_id& role) const {
    return caf::actor_cast<Handle>(find(role));
  }

  /// A role and the process in which it lives, for tensors that are lent to that; no process where it is not known.
  template <class Handle>
  struct located {
    Handle handle;
    process_id process;
  };
  template <class Handle>
  [[nodiscard]] located<Handle> locate(const role_id& role) const {
    auto known = entry(role).value_or(bind_role{});
    return {caf::actor_cast<Handle>(known.handle), known.place.process};
  }

  /// Sends `role_bound` to `who` for every role of that kind, or of any, that is known now and whenever one is bound.
  /// Asked again by the same actor, it tells what is known now once more.
  void subscribe(const caf::strong_actor_ptr& who, std::string kind = {});
  /// Forgets everything, for the end of a job: an entry keeps its actor alive, and the actor its job and directory.
  void clear();

  /// Calls `f` whenever a role is bound, outside of any lock, as long as `owner` lives.
  void on_bind(caf::weak_actor_ptr owner, listener f);

private:
  mutable std::mutex mutex_;
  std::map<role_id, bind_role> roles_;
  std::vector<std::pair<caf::weak_actor_ptr, std::string>> subscribers_; // and of which kind; empty: of any
  std::vector<std::pair<caf::weak_actor_ptr, listener>> listeners_;
};

} // namespace troupe
