// Shard holders beside their agents in worker processes: how agents and holders find each other, what fails in place,
// and what becomes of a holder whose agent leaves.

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "learn/model.hpp"
#include "tests/topology/hosts.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

job_description sharded_job(uint32_t shards) {
  auto d = small_job();
  d.model = "mlp"; // three blocks of parameters
  d.sharded = true;
  d.shards = shards;
  return d;
}

} // namespace

TEST_CASE("agents and shard holders of two worker processes are connected directly; both are asked for when the "
          "connection is lost") {
  auto first = std::optional<published_host>{std::in_place, agent_host::config{}};
  auto second = published_host{{}};
  auto leader = runtime{{.network = true}};
  auto self = caf::scoped_actor{leader.system()};
  auto me = caf::actor_cast<caf::strong_actor_ptr>(self);
  auto roles = std::vector<bind_role>{};
  auto hosts = std::vector<agent_host_actor>{};
  for (auto port : {first->port, second.port}) {
    auto host = connect_node(leader.system(), "127.0.0.1", port, "job", 5s);
    REQUIRE(host);
    hosts.push_back(caf::actor_cast<agent_host_actor>(*host));
    const auto rank = static_cast<uint32_t>(hosts.size() - 1);
    for (auto* kind : {"shard_holder", "agent"}) {
      if (rank == 1 && std::string_view{kind} == "shard_holder")
        continue; // an agent that joined later: it has none at its side
      auto spawned = spawn_on(self, hosts.back(), {sharded_job(1), {kind, rank}, {1}, me, {}});
      INFO(spawned.refusal);
      REQUIRE(spawned.handle);
      roles.push_back({{kind, rank}, {1}, spawned.handle, "127.0.0.1:" + std::to_string(port), rank});
    }
  }
  auto node = first->rt.system().node();
  CHECK_FALSE(is_direct(second, node));
  for (auto& host : hosts)
    for (auto& role : roles)
      troupe::anon_send(host, role);
  CHECK(comes_true([&] { return is_direct(second, node) && is_direct(*first, second.rt.system().node()); }));

  auto lost = std::set<role_id>{};
  first.reset();
  CHECK(comes_true([&] {
    troupe::request(self, hosts[1], 5s, heartbeat{1})
      .receive([&](const alive& a) { lost.insert(a.lost.begin(), a.lost.end()); }, [](const caf::error&) {});
    return lost == std::set{roles[0].role, roles[1].role};
  }));
}

TEST_CASE("T3: a shard holder elsewhere whose state fails goes on in place with its last commit, beside its agent") {
  auto host = published_host{{.slots = 1}};
  auto self = caf::scoped_actor{host.rt.system()};
  auto me = caf::actor_cast<caf::strong_actor_ptr>(self);
  auto directory = std::vector<bind_role>{{{"coordinator", 0}, {1}, me}}; // stands for the leader
  const auto role = role_id{"shard_holder", 0};
  auto spawned = spawn_on(self, host.actor, {sharded_job(2), role, {1}, me, directory});
  INFO(spawned.refusal);
  REQUIRE(spawned.handle);
  REQUIRE(spawn_on(self, host.actor, {sharded_job(2), {"agent", 0}, {1}, me, directory}).handle); // in the same slot
  CHECK(spawn_on(self, host.actor, {sharded_job(2), {"shard_holder", 2}, {1}, me, {}}).refusal ==
        "the job has 2 shards, and shard_holder/2 is none of them");
  auto joined = std::optional<join>{};
  auto failed = std::optional<state_failed>{};
  auto receive_until = [&](auto done) {
    while (!done())
      self->receive(
        [&](const join& j) {
          if (j.who.role.kind == "shard_holder")
            joined = j;
        },
        [&](const state_failed& f) { failed = f; }, caf::after(20s) >> [] { FAIL("nothing was heard of the holder"); });
  };
  receive_until([&] { return joined.has_value(); });
  CHECK_FALSE(joined->loaded);
  auto holder = caf::actor_cast<shard_holder_actor>(spawned.handle);
  auto load = [&](step version, size_t floats) {
    auto values = payload::floats(floats);
    std::fill(values.mutable_floats().begin(), values.mutable_floats().end(), 0.5f);
    auto taken = false;
    troupe::request(self, holder, 20s, load_shard{{1}, version, values, {}})
      .receive([&] { taken = true; }, [](const caf::error&) {});
    return taken;
  };
  const auto job = hosted_job::open(sharded_job(2), std::make_shared<troupe::directory>());
  REQUIRE(job);
  CHECK(load({7}, (*job)->shards.size(0)));
  CHECK_FALSE(load({8}, 16)); // of another size: it fails
  receive_until([&] { return failed.has_value(); });
  CHECK(failed->child == "shard_holder/0");
  troupe::anon_send(caf::actor_cast<caf::actor>(spawned.handle), replace_state{{2}});
  receive_until([&] { return joined->who.incarnation == incarnation{2}; });
  CHECK(joined->loaded);
  CHECK(joined->version == step{7});
}

TEST_CASE("a worker process that is asked to end stays as long as the shard holder in it, and counts what is sent") {
  auto host = published_host{{.slots = 1}};
  auto self = caf::scoped_actor{host.rt.system()};
  auto me = caf::actor_cast<caf::strong_actor_ptr>(self);
  auto holder = spawn_on(self, host.actor, {sharded_job(1), {"shard_holder", 0}, {1}, me, {}});
  auto agent = spawn_on(self, host.actor, {sharded_job(1), {"agent", 0}, {1}, me, {}});
  REQUIRE(holder.handle);
  REQUIRE(agent.handle);
  troupe::anon_send(host.actor, leave_run{});
  CHECK(comes_true([&] { return has_ended(agent.handle); }));
  auto is_there = [&] {
    auto there = false;
    troupe::request(self, host.actor, 5s, heartbeat{1})
      .receive([&](const alive& a) { there = a.sent_bytes == 0; }, [](const caf::error&) {});
    return there;
  };
  CHECK(is_there());
  CHECK_FALSE(has_ended(holder.handle));
  troupe::anon_send_exit(holder.handle, caf::exit_reason::user_shutdown); // the run is over
  CHECK(comes_true([&] { return !is_there(); }));
}
