/// Real processes that are killed and stopped: the run ends with the weights of an undisturbed one, and leaves nothing
/// behind.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>

#include "tests/apps/command.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

TEST_CASE(
  "T5: worker processes that are killed are started again, and the weights are those of an undisturbed run (I10)") {
  constexpr auto steps = 2000;
  const temporary_folder folder;
  process run(long_job(2, steps, {"--isolation", "process"}), folder.path());
  REQUIRE(run.wait_for_output("step 1/", deadline));
  auto kills = 0;
  for (; kills < 3; ++kills) {
    const auto workers = run.children();
    REQUIRE(workers.size() == 2);
    ::kill(workers[static_cast<size_t>(kills) % 2], SIGKILL);
    if (!children_changed(run, workers))
      break;
  }
  REQUIRE(kills >= 2);
  const auto last = run.children();
  CHECK(run.wait(deadline) == 0);
  CHECK_THAT(run.out(), ContainsSubstring("was ended by signal 9 (Killed)"));
  const auto report = report_in(folder);
  CHECK(report["weights_sha256"] == undisturbed_long_job(steps));
  CHECK(report["restarts"] >= 2);
  CHECK(are_gone(last)); // I9
}

TEST_CASE(
  "R8: a worker that is stopped for 5 s and goes on costs no step: others take over, and it joins again (I10)") {
  constexpr auto steps = 5000;
  const temporary_folder folder;
  process run(long_job(3, steps, {"--isolation", "process"}), folder.path());
  REQUIRE(run.wait_for_output("step 1/", deadline));
  const auto workers = run.children();
  REQUIRE(workers.size() == 3);
  ::kill(workers[1], SIGSTOP);
  run.wait_for_output("this is never said", 5s); // reads on meanwhile
  ::kill(workers[1], SIGCONT);
  CHECK(run.wait(deadline) == 0);
  const auto report = report_in(folder);
  CHECK(report["steps"] == steps);
  CHECK(report["restarts"] == 0); // unreachable is not dead
  CHECK(report["weights_sha256"] == undisturbed_long_job(steps));
}

TEST_CASE("a run whose process is killed is resumed by its own command and ends with the weights of an undisturbed one "
          "(I7, I10)") {
  constexpr auto steps = 1500;
  const temporary_folder folder;
  const auto command =
    long_job(2, steps, {"--isolation", "process", "--checkpoint", "kept", "--checkpoint-every", "20", "--resume"});
  for (const bool with_checkpoint : {false, true}) {
    process run(command, folder.path());
    REQUIRE(run.wait_for_output("step ", deadline));
    if (with_checkpoint)
      REQUIRE(run.wait_until([&] { return std::filesystem::exists(folder / "kept/latest"); }, deadline));
    const auto workers = run.children();
    CHECK(workers.size() == 2);
    run.send(SIGKILL);
    CHECK(run.wait(deadline) == -SIGKILL);
    CHECK(run.wait_until([&] { return are_gone(workers); }, 10s)); // T4: no orphans
  }
  process last(command, folder.path());
  CHECK(last.wait(deadline) == 0);
  CHECK_THAT(last.out(), ContainsSubstring("resumed at step"));
  CHECK(report_in(folder)["weights_sha256"] == undisturbed_long_job(steps));
  process audit({TROUPE_COMMAND, "audit", "kept"}, folder.path());
  CHECK(audit.wait(deadline) == 0);
  CHECK_THAT(audit.out(), ContainsSubstring(fmt::format("{} samples: missing 0, doubled 0", steps * 12)));
}

TEST_CASE("a run of three lives with 20 kills of its worker processes has nothing missing and nothing doubled (I1)") {
  const temporary_folder folder;
  for (int life = 1; life <= 3; ++life) {
    words more{"--isolation", "process", "--checkpoint", "kept", "--checkpoint-every", "7", "--resume", "--quiet"};
    for (int kill = 0; kill < 7; ++kill)
      if (life < 3 || kill < 6) {
        more.emplace_back("--fault");
        more.push_back(fmt::format("agent/{}@step={}:kill-process", kill % 2, 40 * (life - 1) + 3 + 5 * kill));
      }
    process run(long_job(2, 40 * life, more), folder.path());
    INFO(run.err());
    REQUIRE(run.wait(deadline) == 0);
    CHECK(report_in(folder)["restarts"] >= (life < 3 ? 7 : 6));
  }
  process audit({TROUPE_COMMAND, "audit", "kept"}, folder.path());
  CHECK(audit.wait(deadline) == 0);
  CHECK_THAT(audit.out(),
             ContainsSubstring("120 steps, ") && ContainsSubstring("1440 samples: missing 0, doubled 0\n"));
  CHECK_THAT(audit.out(), ContainsSubstring("resumed 2 times"));
  process nothing({TROUPE_COMMAND, "audit", "nowhere"}, folder.path());
  CHECK(nothing.wait(deadline) == 2);
  CHECK(nothing.err() == "troupe: there is no ledger in nowhere: name the folder of --ledger or --checkpoint\n");
}
