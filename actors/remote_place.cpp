#include "actors/remote_place.hpp"

#include <atomic>
#include <fmt/format.h>

#include "actors/remote_actor.hpp"

namespace troupe {

remote_place::remote_place(std::vector<std::string> nodes, std::shared_ptr<directory> roles)
  : nodes_(std::move(nodes)), roles_(std::move(roles)) {
  // nop
}

startable remote_place::child(const role_id& role, std::string type, std::string argument) const {
  auto bad_nodes = std::make_shared<std::atomic<size_t>>(0); // so far, each time it was one
  auto start = [nodes = nodes_, roles = roles_, bad_nodes, role, type = std::move(type),
                argument = std::move(argument)](const start_context& c) -> started {
    if (!c.system.has_middleman())
      return failure{fmt::format("{} lives on another host, and this program has no network: make its runtime with "
                                 ".network = true",
                                 to_string(role))};
    if (nodes.empty())
      return failure{fmt::format("no node is named for {}: give its place the HOST:PORT of one", to_string(role))};
    auto& node = nodes[(role.index + *bad_nodes) % nodes.size()];
    return started::later(c.system.spawn<remote_actor>(
      remote_actor::config{role, c.number, c.notice, node, type, argument, roles, [bad_nodes] { ++*bad_nodes; }}));
  };
  return {to_string(role), std::move(start)};
}

} // namespace troupe
