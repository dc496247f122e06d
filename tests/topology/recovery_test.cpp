// Roles that are killed while a whole run is under way in this process, and gradients that go wrong.

#include <utility>

#include "actors/audit.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/topology/small_job.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;

TEST_CASE("an agent that is killed again and again costs nothing but time (R5, I1, I10)") {
  auto o = small_job();
  o.steps = 40;
  o.agents = 3;
  auto undisturbed = run(o);

  auto rt = runtime{};
  auto roles = std::shared_ptr<directory>{};
  auto observer = job_observer{};
  observer.on_step = [&](const step_progress& at) {
    if (at.step % 4 == 1)
      troupe::anon_send_exit(roles->find({"agent", static_cast<uint32_t>(at.step / 4 % 3)}), caf::exit_reason::kill);
  };
  auto parts = data_parallel::prepare(rt, o, observer);
  REQUIRE(parts);
  roles = (*parts)->job().roles;
  auto report = (*parts)->run((*parts)->tree());
  INFO((report ? std::string{} : report.error().sentence));
  REQUIRE(report);
  CHECK(report->steps == 40);
  CHECK(report->restarts >= 5);
  CHECK(report->weights_sha256 == undisturbed.weights_sha256);
}

TEST_CASE("a data broker that is killed comes back and the run goes on to the same result") {
  auto o = small_job();
  o.steps = 12;
  o.agents = 2;
  auto undisturbed = run(o);
  auto report = disturbed(o, [](uint64_t step, directory& roles) {
    if (step == 5)
      kill(roles, {"data_broker", 0});
  });
  CHECK(report.restarts == 1);
  CHECK(report.weights_sha256 == undisturbed.weights_sha256);
}

TEST_CASE(
  "T3 T8: shard holders that are killed come back with their last commit, and no step is lost or done twice (I10)") {
  auto o = small_job();
  o.steps = 12;
  o.agents = 2;
  o.optimizer.kind = learn::optimizer_kind::adam; // whose state has to come back, too
  o.optimizer.learning_rate = 0.002f;
  auto undisturbed = run(o);
  auto notes = std::vector<std::string>{};
  auto report = disturbed(
    o,
    [](uint64_t step, directory& roles) {
      if (step == 3 || step == 8)
        kill(roles, {"shard_holder", 0});
    },
    &notes);
  for (auto& note : notes)
    UNSCOPED_INFO(note);
  CHECK(report.restarts == 2);
  CHECK(report.weights_sha256 == undisturbed.weights_sha256);
  CHECK(report.train_loss == undisturbed.train_loss);
}

TEST_CASE(
  "a coordinator that is killed comes back behind its last commit, in the middle of an epoch or at its end (I10)") {
  auto o = small_job();
  o.batch = 400;
  o.micro_batch = 100;
  o.steps = 0;
  o.epochs = 2;
  o.agents = 2;
  o.evaluate = true;
  auto undisturbed = run(o);
  o.steps = undisturbed.steps; // the same run, said otherwise
  auto report = disturbed(o, [](uint64_t step, directory& roles) {
    if (step == 7 || step == 50)
      kill(roles, {"coordinator", 0});
  });
  CHECK(report.restarts == 2);
  CHECK(report.steps == undisturbed.steps);
  CHECK(report.test_accuracy == undisturbed.test_accuracy);
  CHECK(report.train_loss == undisturbed.train_loss);
  CHECK(report.weights_sha256 == undisturbed.weights_sha256);
}

TEST_CASE("T8: shards whose last commit is gone take the run back to its checkpoint, or its beginning, and the result "
          "is the same") {
  auto folder = temporary_folder{};
  auto o = small_job();
  o.steps = 12;
  o.agents = 2;
  auto undisturbed = run(o);
  for (bool checkpoints : {false, true}) {
    if (checkpoints) {
      o.checkpoint = (folder.path() / "checkpoints").string();
      o.checkpoint_every = 4;
    }
    auto done = false;
    auto notes = std::vector<std::string>{};
    auto report = disturbed(
      o,
      [&](uint64_t step, directory& roles) {
        if (step < 6 || std::exchange(done, true))
          return;
        // As if the holder had failed while it wrote its state.
        auto spoiled = load_shard{{}, {step + 100}, payload::floats(1), {}};
        troupe::anon_send(roles.find_as<shard_holder_actor>({"shard_holder", 0}), spoiled);
      },
      &notes);
    CHECK(report.weights_sha256 == undisturbed.weights_sha256);
    CHECK(report.train_loss == undisturbed.train_loss);
  }
}

TEST_CASE(
  "agents that join a run that is under way, and one that is killed, leave the weights as they were (R5, I10)") {
  auto o = small_job();
  o.steps = 60;
  auto alone = run(o);
  for (auto [least, most] : {std::pair{1, 2}, {1, 4}, {2, 6}}) {
    o.least_agents = least;
    o.agents = most;
    o.shards = 2;
    auto joined = disturbed(o, [](uint64_t step, directory& roles) {
      if (step == 20)
        troupe::anon_send_exit(roles.find({"agent", 0}), caf::exit_reason::kill);
    });
    CHECK(joined.weights_sha256 == alone.weights_sha256);
    CHECK(joined.restarts == 1);
    CHECK(joined.tree.find("joiners") != std::string::npos);
  }
}

TEST_CASE("after 30 kills of every kind of role the ledger says that every sample took effect once (I1)") {
  auto folder = temporary_folder{};
  auto o = small_job();
  o.agents = 3;
  o.steps = 150;
  auto undisturbed = run(o);
  o.checkpoint = folder.path().string();
  o.checkpoint_every = 10;
  auto rt = runtime{};
  auto roles = std::shared_ptr<directory>{};
  auto kills = 0;
  auto observer = job_observer{};
  observer.on_step = [&](const step_progress& at) {
    const auto victims =
      std::vector<role_id>{{"agent", 0}, {"agent", 1}, {"agent", 2}, {"data_broker", 0}, {"coordinator", 0}};
    if (at.step % 5 != 0 || at.step == 150)
      return;
    troupe::anon_send_exit(roles->find(victims[at.step / 5 % victims.size()]), caf::exit_reason::kill);
    ++kills;
  };
  auto parts = data_parallel::prepare(rt, o, observer);
  REQUIRE(parts);
  auto& p = **parts;
  roles = p.job().roles;
  auto report = p.run(p.tree(at_most(1000, 1min)));
  REQUIRE(report);
  CHECK(report->weights_sha256 == undisturbed.weights_sha256);
  parts->reset(); // whatever is still to be written
  CHECK(kills >= 29);
  auto found = audit_ledger(folder.path());
  REQUIRE(found);
  INFO(to_string(*found));
  CHECK(found->is_good());
  CHECK(found->steps == 150);
  CHECK(found->samples == 150 * 24);
  CHECK(found->incarnations > 3);
}

TEST_CASE("T6 I11: a gradient that is not finite is skipped, step by step, where the job says so") {
  auto o = small_job();
  o.optimizer.learning_rate = 1e30f;
  o.on_nonfinite = nonfinite::skip;
  auto r = run(o);
  CHECK(r.steps == 8);
  CHECK(r.skipped_steps > 0);
  CHECK(r.skipped_steps < 8); // the first one was fine
}

TEST_CASE("T6 R13: a run that goes back and meets the same gradient again stops with a sentence") {
  auto o = small_job();
  o.optimizer.learning_rate = 1e30f;
  o.on_nonfinite = nonfinite::rewind;
  auto notes = 0;
  auto observer = job_observer{};
  observer.on_note = [&](const std::string& s) { notes += s.find("goes back") != std::string::npos; };
  auto r = run_job(o, observer, {});
  REQUIRE_FALSE(r);
  CHECK(notes == 3);
  CHECK(r.error().sentence.find("not finite") != std::string::npos);
}
