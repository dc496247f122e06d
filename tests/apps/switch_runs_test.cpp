/// Agents that begin to synchronise otherwise while a run goes on, in worker processes: the weights are those of a run
/// that never does, whoever is killed.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "tests/apps/command.hpp"

using namespace troupe::test;
using Catch::Matchers::ContainsSubstring;

TEST_CASE(
  "agents in worker processes and on nodes go through three modes, lose a process in each, and end with the bits "
  "of one mode (I1, I10)") {
  constexpr auto steps = 90;
  const auto wanted = undisturbed_long_job(steps);
  const words changes{"--switch", "30:sync=sharded,60:sync=tree", "--quiet"};
  const words kills{"--fault",
                    "agent/1@step=12:kill-process,agent/0@step=44:kill-process,agent/1@step=75:kill-process"};
  {
    const temporary_folder folder;
    process run(long_job(2, steps, words{"--isolation", "process", "--checkpoint", "kept"} + changes + kills),
                folder.path());
    CHECK(run.wait(deadline) == 0);
    INFO(run.err());
    const auto report = report_in(folder);
    CHECK(report["weights_sha256"] == wanted);
    CHECK(report["restarts"] >= 3);
    REQUIRE(report["switches"].size() == 2);
    CHECK(report["switches"][0][0] == 30);
    CHECK(report["switches"][1][0] == 60);
    process audit({TROUPE_COMMAND, "audit", "kept"}, folder.path());
    CHECK(audit.wait(deadline) == 0);
    CHECK_THAT(audit.out(), ContainsSubstring(fmt::format("{} samples: missing 0, doubled 0", steps * 12)));
  }
  const temporary_folder folder;
  running_node one(folder);
  running_node two(folder);
  process run(long_job(2, steps, words{"--nodes", one.address + "," + two.address} + changes), folder.path());
  CHECK(run.wait(deadline) == 0);
  INFO(run.err());
  CHECK(report_in(folder)["weights_sha256"] == wanted);
}

TEST_CASE("a change of mode that cannot be is refused with one sentence before anything is started") {
  const temporary_folder folder;
  const auto refused = [&](const words& more) {
    process run(long_job(2, 90, more), folder.path());
    CHECK(run.wait(deadline) == 2);
    return run.err();
  };
  CHECK(refused({"--switch", "30"}) ==
        "troupe: --switch is not understood: takes STEP:OPTION=VALUE, as in 200:sync=ring, not \"30\"\n");
  CHECK_THAT(refused({"--switch", "30:sync=ring", "--staleness", "2"}), ContainsSubstring("from step 30 on: "));
  CHECK_THAT(refused({"--switch", "90:sync=ring"}), ContainsSubstring("no step between"));
}
