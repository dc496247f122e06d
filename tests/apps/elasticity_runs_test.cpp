/// Worker processes and nodes that are wanted back (SIGTERM), killed, or come back: the run goes on without or
/// elsewhere.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "tests/apps/command.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr auto steps = 1500;

} // namespace

TEST_CASE("a worker process that is asked to end leaves in order, another is killed, and the weights do not change "
          "(I10)") {
  const temporary_folder folder;
  process run(long_job(3, steps, {"--isolation", "process"}), folder.path());
  REQUIRE(run.wait_for_output("step 1/", deadline));
  const auto workers = run.children();
  REQUIRE(workers.size() == 3);
  ::kill(workers[2], SIGTERM);
  REQUIRE(run.wait_for_output("has left the run", deadline));
  CHECK(run.wait_until([&] { return is_gone(workers[2]); }, 10s));
  ::kill(workers[1], SIGKILL);
  CHECK(run.wait(deadline) == 0);
  const auto report = report_in(folder);
  CHECK(report["restarts"] == 1);
  CHECK(report["weights_sha256"] == undisturbed_long_job(steps));
}

TEST_CASE("a node that is asked to end has its agents leave, and the run goes on with those of the others") {
  const temporary_folder folder;
  running_node stays(folder);
  running_node goes(folder);
  process run(long_job(2, steps, {"--nodes", stays.address + "," + goes.address}), folder.path());
  REQUIRE(run.wait_for_output("step 1/", deadline));
  goes.started.send(SIGTERM);
  CHECK(goes.started.wait(deadline) == 0);
  CHECK_THAT(goes.started.err(), ContainsSubstring("finish what they have begun and leave"));
  CHECK(run.wait(deadline) == 0);
  CHECK_THAT(run.out(), ContainsSubstring("agent/1 has left the run"));
  const auto report = report_in(folder);
  CHECK(report["restarts"] == 0);
  CHECK(report["weights_sha256"] == undisturbed_long_job(steps));
}

TEST_CASE("agents of a node that is gone are started again on another one") {
  const temporary_folder folder;
  running_node stays(folder);
  running_node dies(folder);
  process run(long_job(2, steps, {"--nodes", stays.address + "," + dies.address}), folder.path());
  REQUIRE(run.wait_for_output("step 1/", deadline));
  dies.started.send(SIGKILL);
  CHECK(stays.started.wait_until([&] { return stays.started.children().size() == 2; }, 30s));
  CHECK(run.wait(deadline) == 0);
  CHECK(report_in(folder)["weights_sha256"] == undisturbed_long_job(steps));
}

TEST_CASE(
  "with shards of the data set that go round, worker processes end with the weights of threads, and so do those "
  "that are killed (I1, I10)") {
  const temporary_folder folder;
  const auto weights = [&](const words& more) {
    process run(long_job(3, steps, words{"--exchange", "rotate", "--quiet"} + more), folder.path());
    REQUIRE(run.wait(deadline) == 0);
    return report_in(folder)["weights_sha256"];
  };
  const auto wanted = weights({});
  CHECK(weights({"--isolation", "process"}) == wanted);
  process run(long_job(3, steps, {"--exchange", "rotate", "--isolation", "process", "--ledger", "kept"}),
              folder.path());
  REQUIRE(run.wait_for_output("step 1/", deadline));
  const auto workers = run.children();
  REQUIRE(workers.size() == 3);
  ::kill(workers[1], SIGKILL);
  REQUIRE(children_changed(run, workers));
  CHECK(run.wait(deadline) == 0);
  const auto report = report_in(folder);
  CHECK(report["weights_sha256"] == wanted);
  CHECK(report["restarts"] == 2); // the agent, and its sample keeper
  process audit({TROUPE_COMMAND, "audit", "kept"}, folder.path());
  CHECK(audit.wait(deadline) == 0);
  CHECK_THAT(audit.out(), ContainsSubstring("missing 0, doubled 0"));
}
