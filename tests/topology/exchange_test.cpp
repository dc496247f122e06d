// Who has which samples, and who takes over whose: with the whole job in one process.

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <string>

#include "actors/audit.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/topology/small_job.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

constexpr auto fixed = learn::exchange_kind::fixed;
constexpr auto rotating = learn::exchange_kind::rotating;

/// Three epochs of noise, of 5 steps and 20 micro-batches each: for 3 agents neither divides.
job_options job_of(int agents, learn::exchange_kind how) {
  auto o = small_job();
  o.model = "mlp";
  o.data = "random:1x8x8:10";
  o.batch = 896;
  o.micro_batch = 224;
  o.agents = agents;
  o.exchange = how;
  o.steps = 15;
  return o;
}

audit_report audited(const temporary_folder& folder) {
  auto found = audit_ledger(folder.path());
  REQUIRE(found);
  INFO(to_string(*found));
  CHECK(found->is_good());
  return *found;
}

} // namespace

TEST_CASE("with each exchange every sample takes effect once an epoch, and other samples together (I1)") {
  auto weights = std::set<std::string>{};
  for (auto how : {learn::exchange_kind::global, fixed, rotating}) {
    INFO(learn::to_string(how));
    auto folder = temporary_folder{};
    auto o = job_of(3, how);
    o.ledger = folder.path().string();
    weights.insert(run(o).weights_sha256);
    auto found = audited(folder);
    CHECK(found.steps == 15);
    CHECK(found.samples == 3 * 4096);
  }
  CHECK(weights.size() == 3);
}

TEST_CASE("agents and brokers that are killed cost no bit and no sample, whatever the exchange (I1, I10)") {
  for (auto how : {fixed, rotating}) {
    INFO(learn::to_string(how));
    auto o = job_of(3, how);
    const auto undisturbed = run(o).weights_sha256;
    auto folder = temporary_folder{};
    o.ledger = folder.path().string();
    o.faults = {parse_fault("agent/1@step=2:kill").value(), parse_fault("agent/2@step=7:exception").value(),
                parse_fault("data_broker/0@step=5:kill").value(), parse_fault("agent/0@step=11:kill").value()};
    const auto r = run(o);
    CHECK(r.weights_sha256 == undisturbed);
    CHECK(r.restarts == 4);
    CHECK(audited(folder).attempts > 0);
  }
}

TEST_CASE("the shards of a data set are those of the most agents: who comes late or goes changes no bit (I10)") {
  for (auto how : {fixed, rotating}) {
    INFO(learn::to_string(how));
    auto o = job_of(3, how);
    const auto all = run(o).weights_sha256;
    o.least_agents = 1;
    o.faults = {parse_fault("agent/0@step=6:leave").value()};
    CHECK(run(o).weights_sha256 == all);
    CHECK(run(job_of(2, how)).weights_sha256 != all);
  }
}

TEST_CASE("shards of the data set go with aggregators, rings, local steps and agents that run ahead") {
  const auto with = [](auto change) {
    auto o = job_of(3, rotating);
    change(o);
    auto folder = temporary_folder{};
    o.ledger = folder.path().string();
    auto r = run(o);
    audited(folder);
    return r.weights_sha256;
  };
  const auto shards = with([](auto&) {});
  CHECK(with([](auto& o) { o.sync = "tree", o.fan_in = 2; }) == shards);
  CHECK(with([](auto& o) { o.sync = "sharded"; }) == shards);
  with([](auto& o) { o.sync = "ring"; });
  with([](auto& o) { o.local_steps = 4; });
  with([](auto& o) { o.staleness = 2; });
}

TEST_CASE("a run goes on with the same exchange and as many shards, or not at all (I7)") {
  auto folder = temporary_folder{};
  auto o = job_of(3, rotating);
  const auto whole = run(o).weights_sha256;
  o.checkpoint = folder.path().string();
  o.steps = 7;
  run(o);
  o.resume = true;
  o.steps = 15;
  auto other = o;
  other.exchange = fixed;
  CHECK(run_job(other).error().sentence.find("its exchange is 'rotate'") != std::string::npos);
  other = o;
  other.agents = 2;
  CHECK(run_job(other).error().sentence.find("its data shards is '3'") != std::string::npos);
  other = o;
  other.exchange = learn::exchange_kind::global;
  CHECK_FALSE(run_job(other));
  CHECK(run(o).weights_sha256 == whole);
}

TEST_CASE("an agent that is done takes over what a stalled one has not begun, and no bit changes (I1, I10)") {
  auto o = small_job();
  o.model = "mlp";
  o.agents = 2;
  o.micro_batch = 2; // six each
  const auto undisturbed = run(o).weights_sha256;
  auto folder = temporary_folder{};
  o.ledger = folder.path().string();
  for (int at = 1; at < 8; ++at) // who is asked while it still waits for parameters has nothing to give in that step
    o.faults.push_back(parse_fault("actors.agent.before_push@step=" + std::to_string(at) + ":stall=500ms").value());
  const auto r = run(o);
  CHECK(r.weights_sha256 == undisturbed);
  CHECK(r.restarts == 0);
  CHECK(audited(folder).attempts > 0);
}
