// Aggregators between agents and parameter shards (--sync tree), with the whole job in one process.

#include <catch2/catch_test_macros.hpp>
#include <cmath>

#include "tests/topology/small_job.hpp"

using namespace troupe;
using test::run;
using test::small_job;

namespace {

job_options job_of(int agents, int fan_in) {
  auto o = small_job();
  o.agents = agents;
  o.micro_batch = 3; // eight of them
  o.steps = 12;
  o.sync = fan_in == 0 ? "ps" : "tree";
  o.fan_in = fan_in;
  return o;
}

double in_parameters(uint64_t bytes, const job_report& r) {
  return static_cast<double>(bytes) / (4.0 * static_cast<double>(r.parameters) * static_cast<double>(r.steps));
}

} // namespace

TEST_CASE("aggregators end with the bits of parameter shards, whatever the number of agents and the fan-in (I10)") {
  const auto wanted = run(job_of(1, 0)).weights_sha256;
  for (int agents : {1, 2, 3, 4, 8})
    for (int fan_in : {2, 3}) {
      const auto r = run(job_of(agents, fan_in));
      INFO(agents << " agents, fan-in " << fan_in);
      CHECK(r.weights_sha256 == wanted);
      CHECK(r.samples == 12ul * 24);
    }
}

TEST_CASE("agents and aggregators that fail, are killed or leave cost not one bit (I10)") {
  const auto wanted = run(job_of(1, 0)).weights_sha256;
  for (int fan_in : {2, 3}) {
    auto o = job_of(4, fan_in);
    for (auto* what : {"agent/1@step=2:kill", "aggregator/0@step=3:kill", "aggregator/0@step=5:exception",
                       "agent/0@step=6:exception", "shard_holder/0@step=7:exception", "data_broker/0@step=8:exception",
                       "agent/3@step=9:leave"})
      o.faults.push_back(parse_fault(what).value());
    const auto r = run(o);
    INFO("fan-in " << fan_in);
    CHECK(r.weights_sha256 == wanted);
    CHECK(r.restarts == 6);
    CHECK(r.samples == 12ul * 24);
  }
}

TEST_CASE("an aggregator that is killed between any two steps begins empty, and nothing is lost or doubled (I1)") {
  auto o = job_of(4, 2);
  o.reproducible = true;
  o.micro_batch = 0;
  const auto wanted = run(o).weights_sha256;
  const auto r = test::disturbed(o, [](uint64_t step, directory& roles) {
    if (step % 4 == 2)
      test::kill(roles, {"aggregator", step % 8 == 2 ? 0u : 2u});
  });
  CHECK(r.weights_sha256 == wanted);
  CHECK(r.restarts == 3);
}

TEST_CASE(
  "T6: a contribution that is not finite is found by the holder, asked for again by its aggregator, and changes "
  "nothing (I11)") {
  const auto wanted = run(job_of(1, 0)).weights_sha256;
  auto o = job_of(4, 2);
  for (auto* what : {"agent/1@step=3:nan", "agent/2@step=3:nan", "agent/3@step=7:nan"})
    o.faults.push_back(parse_fault(what).value());
  const auto r = run(o);
  CHECK(r.weights_sha256 == wanted);
  CHECK(r.skipped_steps == 0);
  CHECK(r.restarts == 0);
}

TEST_CASE("a gradient that stays what it is, not finite, is the job's to decide about, not the aggregator's") {
  auto o = job_of(4, 2);
  o.optimizer.learning_rate = 1e30f;
  o.on_nonfinite = nonfinite::skip;
  const auto r = run(o);
  CHECK(r.steps == 12);
  CHECK(r.skipped_steps > 0);
  o.sync = "ps";
  o.fan_in = 0;
  CHECK(run(o).skipped_steps == r.skipped_steps);
}

TEST_CASE("local steps by way of aggregators end with the bits of parameter shards, and staleness keeps its bound") {
  auto local = job_of(3, 0);
  local.local_steps = 3;
  const auto wanted = run(local).weights_sha256;
  local.sync = "tree";
  local.fan_in = 2;
  CHECK(run(local).weights_sha256 == wanted);
  auto ahead = job_of(4, 2);
  ahead.staleness = 2;
  ahead.faults = {parse_fault("aggregator/2@step=4:kill").value(), parse_fault("agent/0@step=6:kill").value()};
  const auto r = run(ahead);
  CHECK(r.steps == 12);
  CHECK(r.samples == 12ul * 24);
  CHECK(r.staleness.rbegin()->first <= 2);
}

TEST_CASE("an agent sends n and is sent n for each step, and the shard holders receive n from each aggregator") {
  auto o = job_of(4, 0);
  o.micro_batch = 6; // one each
  o.steps = 40;      // beside which what is sent at the start hardly counts
  const auto shards = run(o);
  CHECK(std::abs(in_parameters(shards.received_bytes, shards) - 4) < 0.05 * 4);
  for (int fan_in : {2, 4}) {
    o.sync = "tree";
    o.fan_in = fan_in;
    const auto r = run(o);
    const auto aggregators = 4.0 / fan_in;
    INFO("fan-in " << fan_in);
    CHECK(std::abs(in_parameters(r.received_bytes, r) - aggregators) < 0.05 * aggregators);
    CHECK(std::abs(in_parameters(r.sent_bytes, r) - (8 + aggregators)) < 0.05 * (8 + aggregators));
  }
}

TEST_CASE("robust rules by way of aggregators end with the bits of parameter shards, whoever fails (I10)") {
  for (const auto* rule : {"median", "median/2", "trimmed:0.25", "trimmed:0.25/2", "krum:1"}) {
    auto o = job_of(1, 0);
    o.combine = learn::parse_combine(rule).value();
    const auto wanted = run(o).weights_sha256;
    o = job_of(4, 2);
    o.combine = learn::parse_combine(rule).value();
    for (auto* what :
         {"agent/1@step=3:kill", "aggregator/2@step=5:kill", "shard_holder/0@step=6:exception", "agent/3@step=8:leave"})
      o.faults.push_back(parse_fault(what).value());
    INFO(rule);
    CHECK(run(o).weights_sha256 == wanted);
  }
}

TEST_CASE(
  "aggregators add up buckets before a robust rule looks at them: fewer bytes, and wrong ones are still stood") {
  auto o = job_of(4, 4);
  o.steps = 30;
  o.schedule.kind = learn::schedule_kind::constant;
  const auto healthy = run(o);
  auto received = std::map<uint32_t, double>{};
  for (const auto* rule : {"median", "median/2"}) {
    o.combine = learn::parse_combine(rule).value();
    auto poisoned = o;
    for (auto* what : {"agent/1@step=3:poison", "agent/2@step=8:poison", "agent/0@step=20:poison"})
      poisoned.faults.push_back(parse_fault(what).value());
    INFO(rule);
    CHECK(run(poisoned).train_loss.back().second < healthy.train_loss.back().second * 1.3);
    const auto r = run(o);
    received[o.combine.bucket] = in_parameters(r.received_bytes, r);
  }
  CHECK(std::abs(received[1] - 8) < 0.05 * 8);
  CHECK(std::abs(received[2] - 4) < 0.05 * 4);
}

TEST_CASE("what aggregators cannot be combined with is refused with one sentence") {
  const auto refusal = [](auto change) {
    auto o = job_of(4, 2);
    change(o);
    const auto r = run_job(o, {}, {});
    REQUIRE_FALSE(r);
    return r.error().sentence;
  };
  CHECK(
    refusal([](auto& o) { o.asynchronous = true; }) ==
    "an asynchronous step is one agent's work, so aggregators have nothing to add up: choose --sync ps, or a number "
    "of updates for --staleness");
  CHECK(refusal([](auto& o) { o.combine = learn::parse_combine("krum:1/2").value(); }) ==
        "--combine krum:1/2 needs at least 5 buckets of micro-batches per step, and there are 4: choose a smaller "
        "--micro-batch than 3, or smaller buckets");
  CHECK(refusal([](auto& o) { o.compression.kind = learn::compression_kind::int8; }).find("choose --sync ps") !=
        std::string::npos);
  CHECK(refusal([](auto& o) { o.fan_in = 1; }) ==
        "an aggregator adds up what at least 2 agents contribute: choose a --fan-in from 2 on");
  CHECK(refusal([](auto& o) { o.sync = "ring"; }) ==
        "--fan-in says how many agents share an aggregator: choose --sync tree, or leave out --fan-in");
  CHECK(refusal([](auto& o) {
          o.faults = {parse_fault("aggregator/1@step=2:kill").value()};
        }).starts_with("there is no aggregator/1 for a fault"));
}

TEST_CASE(
  "aggregators have a supervisor of their own behind the shard holders', and the numbers of groups' first agents") {
  auto o = job_of(5, 0);
  o.sync = "tree";
  o.shards = 1; // of one block
  const auto tree = describe_tree(o).value();
  const auto shards = tree.find("shard_holder/0");
  const auto first = tree.find("aggregator/0");
  const auto second = tree.find("aggregator/3"); // of five agents, three share one
  CHECK(shards < first);
  CHECK(first < second);
  CHECK(second < tree.find("agent/0"));
  CHECK(tree.find("aggregator/1") == std::string::npos);
  auto rt = runtime{};
  auto parts = data_parallel::prepare(rt, o);
  REQUIRE(parts);
  CHECK(print_tree((*parts)->tree()) == tree);
}
