#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "actors/spawnable.hpp"
#include "actors/spawner_core.hpp"
#include "messages/interfaces.hpp"

namespace troupe {

/// Starts actors of registered types for programs elsewhere, in its node's process (see `spawner_core`).
/// Receives `spawn_actor` from the near end of a child (`remote_actor`); answers with a handle or, where it refuses,
/// with a sentence: a type that is not registered, other message types, an argument that is too large or another
/// type's, more actors than a job may have, an older incarnation than the one there. An actor ends when its near end
/// does (T4: orphans stop): it is asked to, and killed 5 s later or, where the near end was killed, at once. Receives
/// `leave_run` (its node): it takes no more, ends its actors in the same way, with an error so that they are started
/// elsewhere, and then itself; exit messages do the same. Spawned detached, because constructors are the program's own.
class spawner final : public spawner_actor::base {
public:
  struct config {
    std::vector<registered_type> types;
    uint32_t most = 256;      ///< actors of a job
    std::string program = {}; ///< its name; empty: that of this process
  };

  spawner(caf::actor_config& cfg, config c);
  const char* name() const override { return "troupe.spawner"; }
  behavior_type make_behavior() override;

private:
  using actor_number = spawner_core::actor_number;

  actor_spawned spawn_here(const spawn_actor& what);
  caf::strong_actor_ptr start(const spawn_actor& what);
  void keep(actor_number number, const caf::strong_actor_ptr& actor, const caf::strong_actor_ptr& near_end);
  void end(actor_number number, const caf::error& reason);
  void ended(actor_number number);
  void leave();

  config config_;
  spawner_core core_;
  std::map<actor_number, caf::actor> actors_; // that live, with those that are to end
  bool leaving_ = false;
};

/// The file name of the program that runs here.
std::string name_of_this_program();

} // namespace troupe
