// Agents that come, go in order and crash, with the whole job in one process.

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <set>
#include <string>

#include "tests/topology/small_job.hpp"

using namespace troupe;

namespace {

job_options job_of(int agents) {
  auto o = test::small_job();
  o.agents = agents;
  o.micro_batch = 0;
  o.threads = 0;
  o.steps = 30;
  o.reproducible = true;
  return o;
}

struct outcome {
  job_report report;
  std::set<std::string> notes;

  [[nodiscard]] bool says(const std::string& what) const {
    return std::any_of(notes.begin(), notes.end(), [&](auto& n) { return n.find(what) != std::string::npos; });
  }
};

outcome run(job_options o, const std::vector<std::string>& faults = {}) {
  for (auto& f : faults)
    o.faults.push_back(parse_fault(f).value());
  auto result = outcome{};
  result.report = test::run(o, {.on_note = [&](const std::string& n) { result.notes.insert(n); }});
  return result;
}

} // namespace

TEST_CASE("--reproducible: joins, departures and crashes do not change a bit, whatever the number of agents (I10)") {
  const auto alone = run(job_of(1)).report.weights_sha256;
  for (int agents : {2, 3, 4, 8}) {
    auto o = job_of(agents);
    o.least_agents = 1; // the others join as they come
    const auto r = run(o, {"agent/0@step=5:leave", "agent/1@step=9:kill", "shard_holder/0@step=12:exception"});
    INFO(agents << " agents");
    CHECK(r.report.weights_sha256 == alone);
    CHECK(r.report.reason == stop_reason::steps_done);
    CHECK(r.report.samples == 30 * 24);
    CHECK(r.says("agent/0 has left the run"));
  }
}

TEST_CASE("an agent that leaves is not started again, and costs no restart") {
  const auto r = run(job_of(2), {"agent/1@step=4:leave"});
  CHECK(r.report.restarts == 0);
  CHECK(r.says("agent/1 has left the run"));
  CHECK(r.report.weights_sha256 == run(job_of(1)).report.weights_sha256);
}

TEST_CASE("a run that all its agents leave stops after the step in progress, and says so") {
  const auto r = run(job_of(2), {"agent/0@step=4:leave", "agent/1@step=6:leave"});
  CHECK(r.report.reason == stop_reason::interrupted);
  CHECK(r.report.steps >= 5);
  CHECK(r.report.steps <= 8);
  CHECK(r.says("all agents have left"));
}

TEST_CASE("agents leave while others run ahead, in a ring, and where they gossip") {
  for (auto how : {0, 1, 2, 3}) {
    auto o = job_of(3);
    o.reproducible = false;
    o.micro_batch = 4;
    o.threads = 1;
    if (how == 0)
      o.staleness = 2;
    else if (how == 1)
      o.asynchronous = true;
    else
      o.sync = how == 2 ? "ring" : "gossip";
    const auto r = run(o, {"agent/2@step=4:leave", "agent/0@step=10:leave"});
    INFO("way " << how);
    CHECK(r.report.steps == 30);
    CHECK(r.report.samples == 30 * 24);
    CHECK(r.report.restarts == 0);
  }
}
