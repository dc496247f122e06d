/// A leader and its standby: killed, stopped and in peace.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "tests/apps/standby.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr auto steps = 1500;

words job_of(const std::string& nodes, const running_standby& standby, const words& more = {}) {
  return long_job(2, steps, words{"--nodes", nodes, "--standby", standby.address, "--events", "events.jsonl"} + more);
}

const std::string& undisturbed() {
  static const auto weights = undisturbed_long_job(steps);
  return weights;
}

/// What a standby that has taken over ends with. `ledger` has that many steps.
void check_result(const temporary_folder& led, const temporary_folder& ledger, uint64_t booked = steps) {
  const auto report = report_in(led);
  CHECK(report["steps"] == steps);
  CHECK(report["weights_sha256"] == undisturbed());
  process audit(command({"audit", ledger.path()}), led.path());
  CHECK(audit.wait(deadline) == 0);
  INFO(audit.out());
  CHECK_THAT(audit.out(), ContainsSubstring(std::to_string(booked) + " steps, "));
}

} // namespace

TEST_CASE("a leader that is killed is followed by its standby: the weights are those of an undisturbed run, and no "
          "sample is missing or doubled (I1, I2, I10)") {
  const temporary_folder made;
  process certs(command({"certs", "certs", "--job", "digits", "--node", "127.0.0.1"}), made.path());
  REQUIRE(certs.wait(deadline) == 0);
  const auto certs_of = [&](const std::string& who) { return words{"--certs", made / ("certs/" + who)}; };
  for (const auto* mode : {"ps", "tree", "sharded", "ring"}) {
    INFO(mode);
    const bool encrypted = std::string_view{mode} == "ps";
    const temporary_folder hosted, led, followed, ledger;
    running_node node(hosted, {}, encrypted ? certs_of("127.0.0.1") : words{});
    running_standby standby(followed, words{"--ledger", ledger.path()} + (encrypted ? certs_of("127.0.0.1") : words{}));
    process run(job_of(node.address, standby,
                       words{"--ledger", ledger.path(), "--sync", mode, "--reproducible"} +
                         (encrypted ? certs_of("leader") : words{})),
                led.path());
    REQUIRE(gets_to(run, led, 300));
    run.send(SIGKILL);
    CHECK(standby.started.wait(deadline) == 0);
    INFO(standby.started.out() << standby.started.err() << node.started.err());
    CHECK_THAT(standby.started.out(), ContainsSubstring("leads from step "));
    check_result(followed, ledger);
    CHECK(node.started.wait_until([&] { return node.started.children().empty(); }, 10s));
  }
}

TEST_CASE("with two nodes the standby votes, and takes over with one node where the leader's went with it") {
  const temporary_folder hosted, led, followed, ledger;
  running_node stays(hosted);
  running_node goes(hosted);
  running_standby standby(followed, {"--ledger", ledger.path()});
  process run(job_of(stays.address + "," + goes.address, standby, {"--ledger", ledger.path()}), led.path());
  REQUIRE(gets_to(run, led, 300));
  goes.started.send(SIGKILL);
  run.send(SIGKILL);
  CHECK(standby.started.wait(deadline) == 0);
  INFO(standby.started.out() << standby.started.err());
  check_result(followed, ledger);
}

TEST_CASE("a leader that was stopped for too long commits nothing when it goes on: its standby leads (I2, I15)") {
  const temporary_folder hosted, led, followed, ledger;
  running_node node(hosted);
  running_standby standby(followed, {"--ledger", ledger.path()});
  process run(job_of(node.address, standby), led.path());
  REQUIRE(gets_to(run, led, 300));
  run.send(SIGSTOP);
  REQUIRE(gets_to(standby.started, followed, 301));
  run.send(SIGCONT);
  CHECK(run.wait(deadline) == 1);
  CHECK_THAT(run.err(), ContainsSubstring("another process leads this job by now"));
  CHECK(standby.started.wait(deadline) == 0);
  CHECK(steps_in(led).back().second < steps_in(followed).front().second);
  check_result(followed, ledger, steps - steps_in(followed).front().first + 1);
}

TEST_CASE("a standby ends with the job, and a job goes on without its standby") {
  const temporary_folder hosted, led, followed;
  running_node node(hosted);
  {
    running_standby standby(followed);
    process run(job_of(node.address, standby), led.path());
    CHECK(run.wait(deadline) == 0);
    CHECK(standby.started.wait(deadline) == 0);
    CHECK_THAT(standby.started.out(),
               ContainsSubstring("the job has ended, and nobody had to take over: it ended after 1500 steps"));
  }
  const temporary_folder alone;
  running_standby standby(followed);
  process run(job_of(node.address, standby), alone.path());
  REQUIRE(gets_to(run, alone, 300));
  standby.started.send(SIGKILL);
  CHECK(run.wait(deadline) == 0);
  CHECK_THAT(run.out(), ContainsSubstring("the standby at " + standby.address + " is gone"));
  CHECK(report_in(alone)["weights_sha256"] == undisturbed());
}

TEST_CASE("a job whose standby is not there, or is none, is refused with a sentence") {
  const temporary_folder hosted, led;
  running_node node(hosted);
  const auto refusal = [&](const words& more) {
    process run(long_job(2, 10, words{"--nodes", node.address} + more), led.path());
    CHECK(run.wait(deadline) == 2);
    return run.err();
  };
  CHECK_THAT(refusal({"--standby", "127.0.0.1:1"}),
             ContainsSubstring("no troupe standby answers at 127.0.0.1:1") &&
               ContainsSubstring("start one there with `troupe standby --listen 127.0.0.1:1`"));
  CHECK_THAT(refusal({"--standby", node.address}), ContainsSubstring("refuses: it does not follow"));
  CHECK_THAT(refusal({"--standby", "127.0.0.1:1", "--sync", "gossip"}),
             ContainsSubstring("agents that gossip have no state in common"));
  CHECK(node.started.wait_until([&] { return node.started.children().empty(); }, 10s));
}
