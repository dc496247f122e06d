// Ring peers beside their agents in worker processes: how they find each other, and what fails in place.

#include <algorithm>
#include <optional>

#include "learn/model.hpp"
#include "supervision/exit_reason.hpp"
#include "tests/topology/hosts.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

job_description ring_job() {
  auto d = small_job();
  d.ring = true;
  return d;
}

} // namespace

TEST_CASE("ring peers of two worker processes are connected directly; a peer whose connection was lost is asked for") {
  auto first = std::optional<published_host>{std::in_place, agent_host::config{}};
  auto second = published_host{{}};
  auto leader = runtime{{.network = true}};
  auto self = caf::scoped_actor{leader.system()};
  auto me = caf::actor_cast<caf::strong_actor_ptr>(self);
  auto peers = std::vector<bind_role>{};
  auto hosts = std::vector<agent_host_actor>{};
  for (auto port : {first->port, second.port}) {
    auto host = connect_node(leader.system(), "127.0.0.1", port, "job", 5s);
    REQUIRE(host);
    hosts.push_back(caf::actor_cast<agent_host_actor>(*host));
    auto role = role_id{"ring_peer", static_cast<uint32_t>(peers.size())};
    auto spawned = spawn_on(self, hosts.back(), {ring_job(), role, {1}, me, {}});
    INFO(spawned.refusal);
    REQUIRE(spawned.handle);
    peers.push_back({role, {1}, spawned.handle, "127.0.0.1:" + std::to_string(port), role.index});
  }
  auto node = first->rt.system().node();
  CHECK_FALSE(is_direct(second, node));
  for (auto& host : hosts)
    for (auto& peer : peers)
      troupe::anon_send(host, peer);
  CHECK(comes_true([&] { return is_direct(second, node) && is_direct(*first, second.rt.system().node()); }));

  auto lost = [&] {
    auto answer = alive{};
    troupe::request(self, hosts[1], 5s, heartbeat{1})
      .receive([&](const alive& a) { answer = a; }, [](const caf::error&) {});
    return answer.lost;
  };
  CHECK(lost().empty());
  first.reset();
  CHECK(comes_true([&] { return lost() == std::vector{peers[0].role}; }));
  CHECK(lost().empty()); // said once
}

TEST_CASE("T3: a ring peer elsewhere whose state fails goes on in place, beside its agent") {
  auto host = published_host{{.slots = 1}};
  auto self = caf::scoped_actor{host.rt.system()};
  auto me = caf::actor_cast<caf::strong_actor_ptr>(self);
  // Stands for the leader: supervisors, coordinator and everyone else.
  auto directory = std::vector<bind_role>{{{"coordinator", 0}, {1}, me}};
  auto spawned = spawn_on(self, host.actor, {ring_job(), {"ring_peer", 0}, {2}, me, directory});
  REQUIRE(spawned.handle);
  auto agent = spawn_on(self, host.actor, {ring_job(), {"agent", 0}, {1}, me, directory});
  INFO(agent.refusal);
  REQUIRE(agent.handle); // in the same slot
  CHECK_FALSE(spawn_on(self, host.actor, {ring_job(), {"ring_peer", 1}, {1}, me, {}}).handle);
  auto peer = caf::actor_cast<ring_peer_actor>(spawned.handle);
  auto joined = incarnation{};
  auto failed = std::optional<state_failed>{};
  auto receive_until = [&](auto done) {
    while (!done())
      self->receive(
        [&](const join& j) {
          if (j.who.role.kind == "ring_peer")
            joined = j.who.incarnation;
        },
        [&](const state_failed& f) { failed = f; }, caf::after(20s) >> [] { FAIL("nothing was heard of the peer"); });
  };
  receive_until([&] { return joined == incarnation{2}; });
  auto wrong_size = load_shard{{1}, {0}, payload::floats(16), {}};
  troupe::request(self, peer, 20s, wrong_size).receive([] {}, [](const caf::error&) {});
  receive_until([&] { return failed.has_value(); });
  CHECK(failed->child == "ring_peer/0");
  CHECK(failed->number == incarnation{2});
  CHECK(cause_of(failed->reason).kind == exit_kind::exception);
  troupe::anon_send(caf::actor_cast<caf::actor>(spawned.handle), replace_state{{3}});
  receive_until([&] { return joined == incarnation{3}; });
}
