#pragma once

#include <caf/actor_system_config.hpp>
#include <caf/io/middleman.hpp>
#include <memory>

#include "actors/link_session.hpp"

namespace troupe {

/// Configures an actor system whose connections to other processes all begin with a `link_session`.
struct link_config : caf::actor_system_config {
  explicit link_config(std::shared_ptr<const link_settings> s) : link(std::move(s)) {}

  std::shared_ptr<const link_settings> link;
};

/// CAF's module for the network, on sockets of ours: who publishes an actor gets a `link_gate` before it, who connects
/// does so through a `link_session`, and what a peer sends passes a `frame_guard` before CAF reads it. The actor system
/// has to have a `link_config`.
class link_middleman {
public:
  static void load(link_config& config);

#if CAF_MAJOR_VERSION >= 1
  static caf::actor_system_module* make(caf::actor_system& system);
  static void check_abi_compatibility(caf::version::abi_token token);
#else
  static caf::actor_system::module* make(caf::actor_system& system, caf::detail::type_list<>);
#endif
  static void add_module_options(caf::actor_system_config& config);
};

} // namespace troupe
