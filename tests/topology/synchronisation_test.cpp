// Ways to synchronise, with the whole job in one process.

#include <catch2/catch_test_macros.hpp>
#include <cmath>

#include "actors/job.hpp"
#include "learn/safetensors.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace troupe;

namespace {

job_options small_job(int agents) {
  auto o = job_options{};
  o.model = "lenet";
  o.data = "digits";
  o.agents = agents;
  o.batch = 24;
  o.micro_batch = 4;
  o.epochs = 0;
  o.steps = 12;
  o.threads = 1;
  o.evaluate = false;
  o.log_every = 1;
  o.optimizer.learning_rate = 0.02f;
  return o;
}

job_report run(const job_options& o) {
  auto r = run_job(o, {}, {});
  INFO((r ? std::string{} : r.error().sentence));
  REQUIRE(r);
  return *r;
}

} // namespace

TEST_CASE("a ring of agents trains what parameter shards train, but for the order of summation (I10)") {
  const auto shards = run(small_job(1));
  for (int agents : {1, 2, 3, 4}) {
    auto o = small_job(agents);
    o.sync = "ring";
    const auto ring = run(o);
    INFO(agents << " agents");
    CHECK(ring.steps == 12);
    CHECK(ring.samples == 12 * 24);
    REQUIRE(ring.train_loss.size() == shards.train_loss.size());
    for (size_t i = 0; i < ring.train_loss.size(); ++i)
      CHECK(std::abs(ring.train_loss[i].second - shards.train_loss[i].second) < 1e-5 * shards.train_loss[i].second);
    CHECK(run(o).weights_sha256 == ring.weights_sha256);
  }
}

TEST_CASE("a ring sends 2n(w-1)/w floats for each agent and step") {
  for (uint64_t w : {1u, 2u, 4u}) {
    auto o = small_job(static_cast<int>(w));
    o.sync = "ring";
    const auto r = run(o);
    const auto formula = 12 * 4 * r.parameters * 2 * (w - 1);
    INFO(w << " agents, " << r.sent_bytes << " bytes, formula " << formula);
    CHECK(static_cast<double>(r.sent_bytes) <= 1.05 * static_cast<double>(formula));
    CHECK(static_cast<double>(r.sent_bytes) >= static_cast<double>(formula));
  }
}

TEST_CASE("agents and ring peers that are killed cost a ring nothing but time (I10)") {
  auto o = small_job(3);
  o.sync = "ring";
  const auto undisturbed = run(o);
  for (auto* what : {"agent/1@step=3:kill", "ring_peer/2@step=4:exception", "ring_peer/0@step=5:kill",
                     "data_broker/0@step=6:exception"})
    o.faults.push_back(parse_fault(what).value());
  const auto disturbed = run(o);
  CHECK(disturbed.restarts == 4);
  CHECK(disturbed.samples == 12 * 24);
  REQUIRE(disturbed.train_loss.size() == undisturbed.train_loss.size());
  CHECK(std::abs(disturbed.train_loss.back().second - undisturbed.train_loss.back().second) <
        1e-4 * undisturbed.train_loss.back().second);
}

TEST_CASE("a ring is stopped and resumed with the bits of the uninterrupted run (I7)") {
  const auto folder = test::temporary_folder{};
  auto o = small_job(2);
  o.sync = "ring";
  o.schedule.kind = learn::schedule_kind::constant;
  const auto whole = run(o);
  o.checkpoint = (folder.path() / "kept").string();
  o.steps = 5;
  run(o);
  o.steps = 12;
  o.resume = true;
  CHECK(run(o).weights_sha256 == whole.weights_sha256);
}

TEST_CASE("no gradient is older than the staleness bound, every step takes effect once, and k = 0 keeps in step") {
  auto o = small_job(3);
  const auto in_step = run(o);
  CHECK(in_step.staleness == std::map<uint64_t, uint64_t>{{0, 12 * 6}});
  for (uint64_t k : {1, 3}) {
    o.staleness = k;
    const auto r = run(o);
    CHECK(r.steps == 12);
    CHECK(r.samples == 12 * 24);
    CHECK(r.staleness.rbegin()->first <= k);
  }
}

TEST_CASE("asynchronous steps take effect once each, whoever dies, and a run of them is stopped and resumed") {
  const auto folder = test::temporary_folder{};
  auto o = small_job(3);
  o.asynchronous = true;
  o.optimizer.kind = learn::optimizer_kind::sgd;
  o.faults.push_back(parse_fault("agent/1@step=2:kill").value());
  o.faults.push_back(parse_fault("shard_holder/0@step=4:exception").value());
  o.checkpoint = (folder.path() / "kept").string();
  o.steps = 7;
  const auto first = run(o);
  CHECK(first.steps == 7);
  CHECK(first.samples == 7 * 24);
  o.faults.clear();
  o.steps = 12;
  o.resume = true;
  const auto rest = run(o);
  CHECK(rest.steps == 12);
  CHECK(rest.samples == 5 * 24);
}
