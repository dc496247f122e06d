// Rings with --reproducible: the bits are those of parameter shards, whatever the number of agents and whoever fails.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <string>
#include <vector>

#include "actors/audit.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/topology/small_job.hpp"

using namespace troupe;
using test::run;

namespace {

job_options ring_of(int agents) {
  auto o = test::small_job();
  o.sync = "ring";
  o.agents = agents;
  o.reproducible = true;
  o.micro_batch = 0;
  o.threads = 0;
  o.steps = 12;
  return o;
}

std::string with_shards(job_options o) {
  o.sync = "ps";
  o.agents = 1;
  return run(o).weights_sha256;
}

} // namespace

TEST_CASE("--reproducible: a ring of 1, 2, 3, 4 or 8 agents ends with the bits of parameter shards (I10)") {
  const auto ways = std::vector<void (*)(job_options&)>{
    [](auto&) {},
    [](auto& o) { o.model = "mlp"; },                 // several buckets, one of them of two blocks
    [](auto& o) { o.batch = 26, o.micro_batch = 2; }, // 13 micro-batches: the sum's tree is not full
    [](auto& o) {
      o.optimizer.kind = learn::optimizer_kind::adamw;
      o.optimizer.learning_rate = 0.001f;
      o.optimizer.clip_norm = 0.5f;
    },
    [](auto& o) {
      o.local_steps = 2;
      o.outer_rate = 0.7f;
      o.outer_momentum = 0.9f;
      o.steps = 6;
    },
  };
  for (size_t way = 0; way < ways.size(); ++way) {
    auto o = ring_of(1);
    ways[way](o);
    const auto wanted = with_shards(o);
    for (int agents : {1, 2, 3, 4, 8}) {
      o.agents = agents;
      INFO("way " << way << ", " << agents << " agents");
      CHECK(run(o).weights_sha256 == wanted);
    }
  }
}

TEST_CASE(
  "--reproducible: joins, departures and deaths in a ring do not change a bit, and no sample is lost (I1, I10)") {
  const auto* model = GENERATE("lenet", "mlp");
  auto alone = ring_of(1);
  alone.model = model;
  alone.steps = 30;
  const auto wanted = with_shards(alone);
  for (int agents : {2, 3, 4, 8}) {
    const auto folder = test::temporary_folder{};
    auto o = alone;
    o.agents = agents;
    o.least_agents = 1; // the others join as they come
    o.ledger = (folder.path() / "ledger").string();
    for (const auto* what : {"agent/0@step=5:leave", "agent/1@step=9:kill", "ring_peer/1@step=12:exception",
                             "data_broker/0@step=15:exception", "coordinator/0@step=17:exception",
                             "ring_peer/1@step=20:kill", "agent/1@step=23:drop"})
      o.faults.push_back(parse_fault(what).value());
    const auto r = run(o);
    INFO(agents << " agents, " << model);
    CHECK(r.weights_sha256 == wanted);
    CHECK(r.samples == 30 * 24);
    const auto found = audit_ledger(o.ledger);
    REQUIRE(found);
    CHECK(found->missing == 0);
    CHECK(found->doubled == 0);
  }
}

TEST_CASE("--reproducible: a ring whose peers are killed between any two steps forms again with the same bits (I10)") {
  auto o = ring_of(3);
  const auto wanted = with_shards(o);
  const auto r = test::disturbed(o, [](uint64_t step, directory& roles) {
    if (step % 4 == 2)
      test::kill(roles, {step % 8 == 2 ? "ring_peer" : "agent", static_cast<uint32_t>(step % 3)});
  });
  CHECK(r.weights_sha256 == wanted);
  CHECK(r.restarts == 3);
}

TEST_CASE("--reproducible: a run goes on with another number of agents, and with parameter shards, bit by bit (I7)") {
  const auto folder = test::temporary_folder{};
  auto o = ring_of(3);
  const auto wanted = with_shards(o);
  o.checkpoint = (folder.path() / "kept").string();
  o.steps = 5;
  run(o);
  o.resume = true;
  o.agents = 2;
  o.steps = 8;
  run(o);
  o.agents = 4;
  o.steps = 12;
  o.changes = {{10, "sync", "ps"}};
  CHECK(run(o).weights_sha256 == wanted);
}

TEST_CASE("--reproducible: where each agent's part is one node of the tree, a ring sends as many floats as around it") {
  for (uint64_t w : {1u, 2u, 4u, 8u}) {
    auto o = ring_of(static_cast<int>(w));
    o.steps = 30; // beside which the first parameters hardly count
    const auto r = run(o);
    const auto formula = 30ul * 4 * r.parameters * 2 * (w - 1);
    INFO(w << " agents, " << r.sent_bytes << " bytes, formula " << formula);
    CHECK(static_cast<double>(r.sent_bytes) <= 1.05 * static_cast<double>(formula));
    CHECK(static_cast<double>(r.sent_bytes) >= static_cast<double>(formula));
  }
}
