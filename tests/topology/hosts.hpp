#pragma once

#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>

#include "actors/agent_host.hpp"
#include "actors/node.hpp"
#include "actors/node_link.hpp"
#include "actors/runtime.hpp"
#include "messages/caf.hpp"

/// Nodes and worker processes as a leader meets them, but within the test's own process.
namespace troupe::test {

/// A node, or what hosts agents in a worker process, published on a port of this process.
template <class Actor, class Handle>
struct published {
  explicit published(typename Actor::config c, link_settings link = {})
    : rt({.network = true, .link = std::move(link)}), actor(rt.system().spawn<Actor, caf::detached>(std::move(c))) {
    auto bound = rt.system().middleman().publish(actor, 0, "127.0.0.1");
    REQUIRE(bound);
    port = *bound;
  }
  ~published() { troupe::anon_send_exit(actor, caf::exit_reason::user_shutdown); }

  runtime rt;
  Handle actor;
  uint16_t port = 0;
};
using published_host = published<agent_host, agent_host_actor>;
using published_node = published<node, node_actor>;

inline job_description small_job() {
  auto d = job_description{};
  d.job_id = "job";
  d.model = "lenet";
  d.height = d.width = 28;
  d.data = "digits";
  d.seed = 1;
  d.samples = 20000;
  d.batch = d.micro_batch = 8;
  return d;
}

/// Whether a host is connected to a node by itself, and not by way of the leader.
inline bool is_direct(published_host& from, const caf::node_id& to) {
  auto self = caf::scoped_actor{from.rt.system()};
  auto result = false;
  troupe::request(self, from.rt.system().middleman().actor_handle(), std::chrono::seconds{5}, caf::get_atom_v, to)
    .receive([&](const caf::node_id&, const std::string&, uint16_t port) { result = port != 0; },
             [](const caf::error&) {});
  return result;
}

template <class Condition>
bool comes_true(Condition condition) {
  for (auto until = std::chrono::steady_clock::now() + std::chrono::seconds{10};
       std::chrono::steady_clock::now() < until;)
    if (condition())
      return true;
  return false;
}

inline agent_spawned spawn_on(caf::scoped_actor& self, const agent_host_actor& host, spawn_agent what) {
  what.rank = what.role.index;
  auto result = agent_spawned{};
  troupe::request(self, host, std::chrono::seconds{20}, what)
    .receive([&](const agent_spawned& s) { result = s; },
             [&](const caf::error& e) { result.refusal = "request failed: " + caf::to_string(e); });
  return result;
}

} // namespace troupe::test
