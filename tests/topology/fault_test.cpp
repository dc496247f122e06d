// Faults at every fault point of a run: what is repaired, what ends the run with a sentence, and what is refused.

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>

#include "actors/fault_places.hpp"
#include "actors/job.hpp"
#include "learn/checkpoint/checkpoint.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace troupe;

namespace {

job_options job_with(const std::vector<std::string>& faults) {
  job_options o;
  o.model = "mlp";
  o.data = "digits";
  o.agents = 2;
  o.shards = 2;
  o.batch = 24;
  o.micro_batch = 4;
  o.epochs = 0;
  o.steps = 6;
  o.threads = 1;
  o.evaluate = false;
  o.optimizer.learning_rate = 0.02f;
  for (const auto& text : faults)
    o.faults.push_back(parse_fault(text).value());
  return o;
}

std::string undisturbed() {
  static const auto weights = run_job(job_with({}), {}, {}).value().weights_sha256;
  return weights;
}

job_report survived(const std::vector<std::string>& faults) {
  const auto report = run_job(job_with(faults), {}, {});
  INFO((report ? std::string{} : report.error().sentence));
  REQUIRE(report);
  CHECK(report->weights_sha256 == undisturbed());
  return *report;
}

} // namespace

TEST_CASE("an agent that dies in any way is started again, and the weights are those of the undisturbed run (I10)") {
  for (const char* kind : {"exception", "error", "kill"}) {
    INFO(kind);
    CHECK(survived({std::string{"agent/1@step=2:"} + kind}).restarts == 1);
  }
}

TEST_CASE("each of several faults of an agent happens, one an incarnation") {
  CHECK(survived({"agent/1@step=1:error", "agent/1@step=3:kill", "agent/0@step=4:exception"}).restarts == 3);
}

TEST_CASE("an exception on an agent's stream ends the agent with a reason, and the run goes on") {
  CHECK(survived({"actors.agent.before_push:exception"}).restarts == 1);
}

TEST_CASE("messages that are lost, late or doubled change nothing (I1)") {
  for (const char* fault :
       {"actors.agent.before_push:drop", "actors.agent.before_push:duplicate", "actors.agent.on_lease:duplicate",
        "actors.shard_holder.on_push:delay=30ms", "actors.shard_holder.on_push:duplicate", "data_broker/0:duplicate"}) {
    INFO(fault);
    CHECK(survived({fault}).restarts == 0);
  }
}

TEST_CASE("a data broker that dies comes back, and every sample counts once (I1)") {
  CHECK(survived({"data_broker/0@step=3:kill"}).restarts == 1);
}

TEST_CASE("T6: a contribution that is not finite is rejected and computed again, and costs no step (I11)") {
  CHECK(survived({"agent/0@step=3:nan"}).restarts == 0);
  CHECK(survived({"agent/0@step=3:nan", "agent/1@step=3:nan", "agent/0@step=5:nan"}).restarts == 0);
}

TEST_CASE("a disk that is full, or a write that is torn, voids that checkpoint alone (I7)") {
  for (const char* kind : {"disk-full", "torn-write"}) {
    const test::temporary_folder folder;
    auto o = job_with({std::string{"coordinator/0@step=4:"} + kind});
    o.checkpoint = folder / "kept";
    o.checkpoint_every = 2;
    std::vector<std::string> notes;
    job_observer observer;
    observer.on_note = [&](const std::string& note) { notes.push_back(note); };
    const auto report = run_job(o, observer, {});
    REQUIRE(report);
    CHECK(report->weights_sha256 == undisturbed());
    std::erase_if(notes,
                  [](const auto& note) { return note.find("is left out: ") != std::string::npos; }); // a slow disk
    REQUIRE(notes.size() == 1);
    CHECK(notes.front().find(" was not written: ") != std::string::npos);
    CHECK(notes.front().find("No space left on device") != std::string::npos);
    CHECK(learn::has_checkpoint(o.checkpoint));
  }
}

TEST_CASE("faults end with their job") {
  survived({"agent/1@step=99:kill"});
  CHECK_FALSE(fault_points::armed());
  CHECK(std::getenv("TROUPE_FAULTS") == nullptr);
  CHECK(std::getenv("TROUPE_FAULTS_HAPPENED") == nullptr);
}

TEST_CASE("a fault that the job cannot suffer is refused before anything starts") {
  const auto refused = [](const std::string& text) { return validate(job_with({text})).error().sentence; };
  CHECK(refused("agent/2:kill")
          .starts_with("there is no agent/2 for a fault: name a role that --print-tree shows, or "
                       "one of actors.agent.on_lease, actors.agent.before_push, "));
  CHECK(refused("actors.agent.before_pull:kill").starts_with("there is no actors.agent.before_pull for a fault"));
  CHECK(refused("agent/1:disk-full") == "agent/1 cannot suffer disk-full: docs/testing.md says who can suffer what");
  CHECK(refused("actors.agent.before_push:error").starts_with("actors.agent.before_push cannot suffer error"));
  auto elsewhere = job_with({"agent/1:kill"});
  elsewhere.nodes = {"127.0.0.1:1"};
  CHECK(validate(elsewhere).error().sentence ==
        "the agents of --nodes live elsewhere: start their node with TROUPE_FAULTS=\"agent/1:kill\" instead");
}

TEST_CASE("a coordinator that fails before it sends a commit leaves no step out of the report (R4)") {
  auto steps = std::vector<uint64_t>{};
  job_observer observer;
  observer.on_step = [&](const step_progress& at) { steps.push_back(at.step); };
  const auto o = job_with({"coordinator/0@step=3:exception"});
  const auto report = run_job(o, observer, {});
  REQUIRE(report);
  CHECK(report->restarts == 1);
  CHECK(report->samples == o.steps * o.batch);
  CHECK(steps.size() == o.steps);
}
