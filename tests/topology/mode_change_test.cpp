// Runs during which agents begin to synchronise in another way.

#include <algorithm>

#include "actors/audit.hpp"
#include "actors/mode_change.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/topology/small_job.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

job_options job_of(int agents, const std::vector<std::string>& changes = {}) {
  auto o = small_job();
  o.model = "mlp";
  o.agents = agents;
  o.steps = 12;
  o.schedule.kind = learn::schedule_kind::cosine; // over the whole run, whatever part it is in
  for (auto& text : changes)
    o.changes.push_back(parse_mode_change(text).value());
  return o;
}

void check_audit(const std::string& folder, uint64_t samples) {
  auto found = audit_ledger(folder);
  REQUIRE(found);
  INFO(to_string(*found));
  CHECK(found->is_good());
  CHECK(to_string(*found).find(std::to_string(samples) + " samples: missing 0, doubled 0") != std::string::npos);
}

} // namespace

TEST_CASE("a change of mode keeps parameters, optimiser state, order and rate: where all modes have the same bits, so "
          "has a run that goes through them (I10)") {
  const auto wanted = run(job_of(1)).weights_sha256;
  for (auto kind : {learn::optimizer_kind::momentum, learn::optimizer_kind::adam}) {
    auto whole = job_of(1);
    whole.optimizer.kind = kind;
    whole.optimizer.learning_rate = 0.002f;
    auto alone = job_of(1, {"3:sync=ring", "5:sync=tree", "6:sync=sharded", "9:sync=ps"});
    alone.optimizer = whole.optimizer;
    CHECK(run(alone).weights_sha256 == run(whole).weights_sha256); // the ring of one has no other order of summation
  }
  for (int agents : {2, 3}) {
    auto steps = std::vector<uint64_t>{};
    auto o = job_of(agents, {"4:sync=sharded", "7:sync=tree", "8:shards=1", "9:sync=ps"});
    auto r = run(o, {.on_step = [&](const step_progress& at) {
                   steps.push_back(at.step);
                   CHECK(at.steps_total == 12);
                   CHECK(at.samples == at.step * 24);
                 }});
    INFO(agents << " agents");
    CHECK(r.weights_sha256 == wanted);
    CHECK(r.steps == 12);
    CHECK(r.samples == 12ul * 24);
    CHECK(r.restarts == 0);
    CHECK(r.train_loss.size() == 12);
    CHECK(steps == std::vector<uint64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
    REQUIRE(r.changes.size() == 4);
    CHECK(r.changes[0].first == 4);
    CHECK(r.changes[3].first == 9);
    CHECK(r.changes[3].second > 0);
  }
}

TEST_CASE("the staleness dial is turned while a run goes on, and every sample takes effect once") {
  auto folder = temporary_folder{};
  auto o = job_of(2, {"3:staleness=2", "6:staleness=async", "9:staleness=0", "10:sync=ring"});
  o.ledger = folder.path().string();
  auto r = run(o);
  CHECK(r.steps == 12);
  CHECK(r.samples == 12ul * 24);
  auto counted = uint64_t{0};
  for (auto& [updates, micro_batches] : r.staleness)
    counted += micro_batches;
  CHECK(counted == 12ul * 6);
  check_audit(o.ledger, 12ul * 24);
}

TEST_CASE("compression and rules begin in the middle of a run") {
  auto o = job_of(2, {"4:compress=int8", "8:compress=none", "8:combine=median"});
  auto r = run(o);
  CHECK(r.steps == 12);
  CHECK(r.weights_sha256 != run(job_of(2)).weights_sha256);
  CHECK(r.weights_sha256 == run(o).weights_sha256);
}

TEST_CASE("a run that was stopped in any of its parts goes on in that part") {
  auto whole = job_of(2, {"4:sync=sharded", "8:sync=ring"});
  const auto wanted = run(whole).weights_sha256;
  for (uint64_t stop_at : {2, 3, 4, 6, 7, 8, 10}) {
    auto folder = temporary_folder{};
    auto o = whole;
    o.checkpoint = (folder.path() / "checkpoints").string();
    auto source = std::stop_source{};
    auto stopped = run(o,
                       {.on_step =
                          [&](const step_progress& at) {
                            if (at.step == stop_at)
                              source.request_stop();
                          }},
                       source.get_token());
    INFO("stopped at " << stop_at);
    CHECK(stopped.reason == stop_reason::interrupted);
    CHECK(stopped.steps >= stop_at);
    CHECK(stopped.steps < 12);
    o.resume = true;
    auto resumed = run(o);
    CHECK(resumed.weights_sha256 == wanted);
    CHECK(resumed.steps == 12);
    CHECK(stopped.samples + resumed.samples == 12ul * 24);
    check_audit(o.checkpoint + "/ledger", 12ul * 24);
  }
}

TEST_CASE("a run goes back no further than to its last change of mode, and its faults find their part (T8)") {
  auto o = job_of(2, {"4:sync=ring", "8:sync=ps"});
  const auto wanted = run(o).weights_sha256;
  o.faults = {parse_fault("agent/1@step=2:kill").value(), parse_fault("ring_peer/0@step=6:exception").value(),
              parse_fault("shard_holder/0@step=10:kill").value()};
  auto seen = std::vector<uint64_t>{};
  auto r = run(o, {.on_step = [&](const step_progress& at) { seen.push_back(at.step); }});
  CHECK(r.weights_sha256 == wanted);
  CHECK(r.restarts >= 3);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
}

TEST_CASE("a change of mode between epochs brings no test of its own") {
  auto o = job_of(2, {"60:sync=ring"});
  o.epochs = 1;
  o.steps = 61;
  o.batch = 60;
  o.micro_batch = 10;
  o.evaluate = true;
  auto r = run(o);
  CHECK(r.steps == 61);
  CHECK(r.changes.size() == 1);
  CHECK(r.test_accuracy.size() == 1);
}

TEST_CASE("a change that comes after the end of the run is told of") {
  auto o = job_of(1, {"10000:sync=ring"});
  o.epochs = 1;
  o.steps = 0;
  o.batch = 2000;
  o.micro_batch = 500;
  auto notes = std::vector<std::string>{};
  auto r = run(o, {.on_note = [&](const std::string& n) { notes.push_back(n); }});
  CHECK(r.reason == stop_reason::epochs_done);
  CHECK(r.changes.empty());
  REQUIRE(notes.size() == 1);
  CHECK(notes.front().find("before the change of --switch at step 10000") != std::string::npos);
}
