/// Nodes and their worker processes, killed and stopped: what ends with what, and what the run ends with (T5).

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <memory>

#include "tests/apps/endless_run.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr auto steps = 1500;

words job_on(const running_node& node, const words& more = {}) {
  return long_job(2, steps, words{"--nodes", node.address} + more);
}

/// The node's worker processes once a run has begun.
std::vector<pid_t> workers_of(const running_node& node, process& run) {
  REQUIRE(run.wait_for_output("step 1/", deadline));
  auto workers = node.started.children();
  REQUIRE(workers.size() == 2);
  return workers;
}

} // namespace

TEST_CASE("T5: a node starts a worker process again that was killed, and the weights are those of an undisturbed run "
          "(I10)") {
  const temporary_folder folder;
  running_node node(folder);
  process run(job_on(node), folder.path());
  const auto workers = workers_of(node, run);
  ::kill(workers[1], SIGKILL);
  CHECK(children_changed(node.started, workers));
  CHECK(run.wait(deadline) == 0);
  CHECK_THAT(run.out(), ContainsSubstring("was ended by signal 9 (Killed)"));
  const auto report = report_in(folder);
  CHECK(report["weights_sha256"] == undisturbed_long_job(steps));
  CHECK(report["restarts"] == 1);
  // The run is over: so are the workers, and the node is free for the next one.
  CHECK(node.started.wait_until([&] { return node.started.children().empty(); }, 10s));
  process next(long_job(2, 20, {"--nodes", node.address}), folder.path());
  CHECK(next.wait(deadline) == 0);
  node.started.send(SIGTERM);
  CHECK(node.started.wait(deadline) == 0);
  CHECK_THAT(node.started.err(),
             ContainsSubstring("of workers ended: its process") && ContainsSubstring("restarts it"));
}

TEST_CASE("T5: a handler on a node that does not return costs its process, once") {
  const temporary_folder folder;
  running_node node(folder, {"TROUPE_FAULTS=agent/1@step=20:stall=60s"});
  process run(job_on(node, {"--handler-limit", "1"}), folder.path());
  CHECK(run.wait(deadline) == 0);
  CHECK_THAT(run.out(), ContainsSubstring("because a handler did not return"));
  const auto report = report_in(folder);
  CHECK(report["restarts"] == 1);
  CHECK(report["weights_sha256"] == undisturbed_long_job(steps));
}

TEST_CASE("T4: worker processes do not outlive their node, not even one that is stopped (I9)") {
  const temporary_folder folder;
  running_node node(folder);
  process run(job_on(node, {"--wait-for-nodes", "0"}), folder.path());
  const auto workers = workers_of(node, run);
  ::kill(workers[0], SIGSTOP);
  node.started.send(SIGKILL);
  CHECK(run.wait_until([&] { return are_gone(workers); }, 10s));
  CHECK(run.wait(deadline) == 1);
  CHECK_THAT(run.err(),
             ContainsSubstring("no agent has had a place for 0 s: no troupe node answers at " + node.address) &&
               ContainsSubstring("goes on with --resume"));
}

TEST_CASE("agents whose own node is full begin on another one, and where all are full the run says so and what to do") {
  const temporary_folder folder;
  running_node first(folder, {}, {"--slots", "1"});
  running_node second(folder, {}, {"--slots", "2"});
  const auto nodes = first.address + "," + second.address;
  process run(long_job(3, 30, {"--nodes", nodes}), folder.path());
  CHECK(run.wait(deadline) == 0);
  const auto report = report_in(folder);
  CHECK(report["weights_sha256"] == undisturbed_long_job(30));
  CHECK(report["restarts"] == 0);
  process too_many(long_job(3, 30, {"--nodes", second.address}), folder.path());
  CHECK(too_many.wait(deadline) == 2); // refused, as before anything began
  CHECK_THAT(too_many.err(), ContainsSubstring("no node has a place for agent/2: " + second.address) &&
                               ContainsSubstring("all its 2 slots are taken; start it with more --slots"));
}

TEST_CASE("an agent whose node is killed while no other has a slot waits for a place, and starts when the node is back "
          "(I4, I8, I10)") {
  const temporary_folder folder;
  running_node first(folder, {}, {"--slots", "1"});
  auto second = std::make_unique<running_node>(folder, words{}, words{"--slots", "1"});
  const auto address = second->address;
  endless_run run(
    long_job(2, endless_run::endless, endless_run::options + words{"--nodes", first.address + "," + address}), folder);
  second.reset();
  CHECK(run.sees("ended", "agent/1"));
  CHECK(run.sees("waits", "agent/1"));
  CHECK(run.gets_on());
  process again(command({"node", "--listen", address, "--slots", "1"}), folder.path());
  CHECK(run.takes_in("agent/1"));
  CHECK(run.gets_on());
  CHECK(run.stop_and_check()["restarts"] == 1);
  CHECK(again.wait_until([&] { return again.children().empty(); }, 10s));
}

TEST_CASE("an agent that the run can begin without waits for a place, and takes that of one that has left (T5)") {
  const temporary_folder folder;
  running_node node(folder);
  endless_run run(
    long_job(1, endless_run::endless, endless_run::options + words{"--agents", "2..3", "--nodes", node.address}),
    folder);
  CHECK(run.sees("waits", "agent/2"));
  const auto workers = node.started.children();
  REQUIRE(workers.size() == 2);
  ::kill(workers[0], SIGTERM); // its agent leaves, and another one takes the slot
  CHECK(run.takes_in("agent/2"));
  CHECK(run.gets_on());
  run.stop_and_check();
  CHECK(node.started.wait_until([&] { return node.started.children().empty(); }, 10s));
}

TEST_CASE("T4: a node whose leader is gone ends its worker processes and takes the next job") {
  const temporary_folder folder;
  running_node node(folder);
  {
    process run(job_on(node), folder.path());
    const auto workers = workers_of(node, run);
    run.send(SIGKILL);
    CHECK(node.started.wait_until([&] { return are_gone(workers); }, 10s));
  }
  process next(job_on(node), folder.path());
  CHECK(next.wait(deadline) == 0);
  CHECK(report_in(folder)["weights_sha256"] == undisturbed_long_job(steps));
}

TEST_CASE("nodes come from a hosts file, and one is filled before the other gets an agent") {
  const temporary_folder folder;
  running_node first(folder), second(folder);
  const auto hosts =
    folder.with("hosts", first.address + " slots=2\n" + second.address + " slots=2 # to be kept free\n");
  process run(long_job(2, steps, {"--hostfile", hosts, "--place", "pack"}), folder.path());
  REQUIRE(run.wait_for_output("step 1/", deadline));
  CHECK(first.started.children().size() == 2);
  CHECK(second.started.children().empty());
  CHECK(run.wait(deadline) == 0);
  CHECK(report_in(folder)["weights_sha256"] == undisturbed_long_job(steps));

  process wrong(command({"train", "--hostfile", folder.with("wrong", "\na.example slots=2\n")}), folder.path());
  CHECK(wrong.wait(deadline) == 2);
  CHECK_THAT(wrong.err(), ContainsSubstring("wrong:2: \"a.example\" is no node address"));
  process many(command({"train", "--agents", "5", "--hostfile", hosts}), folder.path());
  CHECK(many.wait(deadline) == 2);
  CHECK_THAT(many.err(), ContainsSubstring("5 agents do not fit into the 4 slots of 2 nodes"));
}
