#pragma once

#include <caf/event_based_actor.hpp>
#include <functional>
#include <memory>
#include <string>

#include "actors/directory.hpp"
#include "messages/interfaces.hpp"
#include "supervision/start.hpp"

namespace troupe {

/// The near end of a child that lives on another host: what its supervisor starts, watches and stops (T5).
///
/// Connects to the node and has the actor started there, then binds its role in the directory and reports ready.
/// Receives `replace_state` and exit messages, which it passes on. Ends with the actor, for the same reason, or with
/// the connection; before it is ready with a sentence where the node cannot be reached or refuses. Killed, it does not
/// wait for the actor, which the node then kills.
class remote_actor final : public caf::event_based_actor {
public:
  struct config {
    role_id role;
    incarnation number;
    start_notice notice;
    std::string node; ///< HOST:PORT
    std::string type;
    std::string argument;
    std::shared_ptr<directory> roles;  ///< null: nobody looks it up
    std::function<void()> on_bad_node; ///< it cannot be reached, refuses, or was lost
  };

  remote_actor(caf::actor_config& cfg, config c) : caf::event_based_actor(cfg), config_(std::move(c)) {}
  const char* name() const override { return "troupe.remote_actor"; }

protected:
  caf::behavior make_behavior() override;
  void on_exit() override;

private:
  void connect();
  void connected(const node_actor& node);
  void spawned(const actor_spawned& answer);
  void give_up(const std::string& sentence);

  config config_;
  caf::actor there_;
};

} // namespace troupe
