// Whole runs in this process: the equalities that make a result worth trusting.

#include <caf/send.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "actors/audit.hpp"
#include "actors/data_parallel.hpp"
#include "learn/safetensors.hpp"
#include "messages/caf.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

job_options small_job() {
  auto o = job_options{};
  o.model = "lenet";
  o.data = "digits";
  o.batch = 24;
  o.micro_batch = 4;
  o.epochs = 0;
  o.steps = 8;
  o.threads = 1;
  o.evaluate = false;
  o.log_every = 1;
  o.optimizer.learning_rate = 0.02f;
  o.schedule.kind = learn::schedule_kind::constant; // a resumed run may have another last step
  return o;
}

job_report run(const job_options& o, job_observer observer = {}, std::stop_token stop = {}) {
  auto r = run_job(o, observer, stop);
  INFO((r ? std::string{} : r.error().sentence));
  REQUIRE(r);
  return *r;
}

} // namespace

TEST_CASE("any number of agents and shards trains the same weights, bit by bit (R6, I10)") {
  auto o = small_job();
  auto one = run(o);
  CHECK(one.steps == 8);
  CHECK(one.samples == 8 * 24);
  CHECK(one.dropped_messages == 0);
  CHECK(one.restarts == 0);
  for (int agents : {2, 3, 4, 6}) {
    o.agents = agents;
    o.shards = 0;
    auto many = run(o);
    CHECK(many.weights_sha256 == one.weights_sha256);
    CHECK(many.train_loss == one.train_loss);
  }
  o.agents = 2;
  o.shards = 1;
  CHECK(run(o).weights_sha256 == one.weights_sha256);
}

TEST_CASE("micro-batches change how a step is cut, not what it computes") {
  auto o = small_job();
  auto cut = run(o);
  o.micro_batch = 24;
  auto whole = run(o);
  REQUIRE(whole.train_loss.size() == cut.train_loss.size());
  for (size_t i = 0; i < cut.train_loss.size(); ++i)
    CHECK(std::abs(cut.train_loss[i].second - whole.train_loss[i].second) <
          1e-4 * std::abs(whole.train_loss[i].second));
}

TEST_CASE("the same seed trains the same weights and another seed does not") {
  auto o = small_job();
  auto first = run(o).weights_sha256;
  CHECK(run(o).weights_sha256 == first);
  o.seed = 2;
  CHECK(run(o).weights_sha256 != first);
}

TEST_CASE("every optimiser survives a stop: the resumed run ends with the bits of the uninterrupted one") {
  using learn::optimizer_kind;
  for (auto kind : {optimizer_kind::sgd, optimizer_kind::momentum, optimizer_kind::adam, optimizer_kind::adamw,
                    optimizer_kind::rmsprop}) {
    auto folder = test::temporary_folder{};
    auto o = small_job();
    o.optimizer.kind = kind;
    o.optimizer.learning_rate = 0.002f;
    auto whole = run(o);
    o.checkpoint = (folder.path() / "checkpoints").string();
    o.steps = 3;
    run(o);
    o.steps = 8;
    o.resume = true;
    o.agents = 3; // and on another number of agents and shards
    auto resumed = run(o);
    INFO(learn::to_string(kind));
    CHECK(resumed.steps == 8);
    CHECK(resumed.samples == 5 * 24);
    CHECK(resumed.weights_sha256 == whole.weights_sha256);
  }
}

TEST_CASE("a user's stop finishes the step, writes the checkpoint and ends well") {
  auto folder = test::temporary_folder{};
  auto o = small_job();
  auto whole = run(o);
  o.checkpoint = (folder.path() / "checkpoints").string();
  o.checkpoint_every = 100;
  auto source = std::stop_source{};
  auto observer = job_observer{};
  observer.on_step = [&](const step_progress& at) {
    if (at.step == 3)
      source.request_stop();
  };
  auto stopped = run(o, observer, source.get_token());
  CHECK(stopped.reason == stop_reason::interrupted);
  CHECK(stopped.steps >= 3);
  CHECK(stopped.steps < 8);
  o.resume = true;
  CHECK(run(o).weights_sha256 == whole.weights_sha256);
}

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
  auto end = rt.run((*parts)->tree());
  REQUIRE(end);
  auto report = (*parts)->report(*end);
  INFO((report ? std::string{} : report.error().sentence));
  REQUIRE(report);
  CHECK(report->steps == 40);
  CHECK(report->restarts >= 5);
  CHECK(report->weights_sha256 == undisturbed.weights_sha256);
}

namespace {

/// A run during which `disturb(step, roles)` is called after each step; its report.
job_report disturbed(const job_options& o, const std::function<void(uint64_t step, directory& roles)>& disturb,
                     std::vector<std::string>* notes = nullptr) {
  auto rt = runtime{};
  auto roles = std::shared_ptr<directory>{};
  auto observer = job_observer{};
  observer.on_step = [&](const step_progress& at) { disturb(at.step, *roles); };
  auto say = [&](const std::string& sentence) {
    if (notes)
      notes->push_back(sentence);
  };
  observer.on_note = say;
  auto parts = data_parallel::prepare(rt, o, observer);
  REQUIRE(parts);
  roles = (*parts)->job().roles;
  auto end = rt.run((*parts)->tree(), {}, {}, [&](const supervision_report& r) { say(to_string(r)); });
  REQUIRE(end);
  auto report = (*parts)->report(*end);
  INFO((report ? std::string{} : report.error().sentence));
  REQUIRE(report);
  CHECK(report->samples == o.steps * o.batch);
  return *report;
}

void kill(directory& roles, const role_id& role) {
  auto victim = roles.find(role);
  REQUIRE(victim);
  troupe::anon_send_exit(victim, caf::exit_reason::kill);
}

} // namespace

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
  auto folder = test::temporary_folder{};
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

TEST_CASE("--resume begins a run that has no checkpoint yet") {
  auto folder = test::temporary_folder{};
  auto o = small_job();
  auto whole = run(o);
  o.checkpoint = (folder.path() / "checkpoints").string();
  o.resume = true;
  CHECK(run(o).weights_sha256 == whole.weights_sha256);
}

TEST_CASE("exported weights are what a run starts from with --init") {
  auto folder = test::temporary_folder{};
  auto o = small_job();
  o.export_to = (folder.path() / "weights.safetensors").string();
  auto first = run(o);
  o.init = o.export_to;
  o.export_to = (folder.path() / "again.safetensors").string();
  o.optimizer.learning_rate = 1e-30f; // too small to change a bit of anything but a zero
  o.optimizer.kind = learn::optimizer_kind::sgd;
  o.steps = 1;
  CHECK(run(o).weights_sha256 == first.weights_sha256);
}

TEST_CASE("training goes on when a checkpoint cannot be written, and says so") {
  auto folder = test::temporary_folder{};
  auto file = folder.path() / "a_file";
  std::ofstream{file} << "in the way";
  auto o = small_job();
  o.checkpoint = (file / "checkpoints").string();
  o.checkpoint_every = 3;
  auto notes = std::vector<std::string>{};
  auto observer = job_observer{};
  observer.on_note = [&](const std::string& s) { notes.push_back(s); };
  auto r = run(o, observer);
  CHECK(r.steps == 8);
  REQUIRE_FALSE(notes.empty());
  CHECK(notes.front().find("was not written") != std::string::npos);
}

TEST_CASE("of two runs with one checkpoint folder the earlier one is told and changes nothing there any more (I6)") {
  auto folder = test::temporary_folder{};
  auto o = small_job();
  o.checkpoint = (folder.path() / "checkpoints").string();
  o.checkpoint_every = 2;
  auto whole = run(o);
  std::filesystem::remove_all(o.checkpoint);
  o.steps = 4;
  run(o);
  o.steps = 8;
  o.resume = true;
  auto later = lock_journal{std::filesystem::path{o.checkpoint} / "locks"};
  auto notes = std::vector<std::string>{};
  auto observer = job_observer{};
  observer.on_note = [&](const std::string& s) { notes.push_back(s); };
  observer.on_step = [&](const step_progress& at) {
    if (at.step == 5)
      REQUIRE(later.open());
  };
  CHECK(run(o, observer).weights_sha256 == whole.weights_sha256); // training goes on
  auto told = std::count_if(notes.begin(), notes.end(), [&](auto& n) {
    return n.find("another run has taken over " + o.checkpoint) != std::string::npos;
  });
  CHECK(told == 2); // at step 6, and at the end
  CHECK(test::text_of(o.checkpoint + "/latest") == "step-000000004\n");
}

TEST_CASE("after 30 kills of every kind of role the ledger says that every sample took effect once (I1)") {
  auto folder = test::temporary_folder{};
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
  auto end = rt.run(supervise("training", one_for_one, at_most(1000, 1min))
                      .child(p.locks)
                      .child(p.broker)
                      .child(supervise("shards", one_for_all).child(p.shards))
                      .child(supervise("agents", one_for_one, at_most(1000, 1min)).child(p.agents))
                      .child(p.leader, transient, significant));
  REQUIRE(end);
  auto report = p.report(*end);
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

TEST_CASE("a reproducible run has the same weights for any number of agents, whatever else is left open (I10)") {
  auto o = small_job();
  o.micro_batch = 0;
  o.threads = 0;
  o.reproducible = true;
  auto one = run(o);
  for (int agents : {2, 3, 4, 8}) {
    o.agents = agents;
    o.shards = 0;
    CHECK(run(o).weights_sha256 == one.weights_sha256);
  }
  o.agents = 9; // the batch is cut into 8
  CHECK(validate(o).error().sentence ==
        "9 agents but only 8 micro-batches per step: use at most 8 agents or a smaller --micro-batch than 3");
  o.agents = 3;
  o.least_agents = 4;
  CHECK(validate(o).error().sentence == "a run of at most 3 agents cannot wait for 4");
}

TEST_CASE("a gradient that is not finite ends the run with a sentence and is not applied (I11)") {
  auto o = small_job();
  o.optimizer.learning_rate = 1e30f;
  auto r = run_job(o, {}, {});
  REQUIRE_FALSE(r);
  CHECK(r.error().sentence.find("not finite") != std::string::npos);
}

TEST_CASE("accuracy is measured once per epoch on the whole test set, alike for any number of agents") {
  auto o = small_job();
  o.batch = 400;
  o.micro_batch = 100;
  o.steps = 0;
  o.epochs = 1;
  o.evaluate = true;
  o.optimizer.kind = learn::optimizer_kind::adam;
  o.optimizer.learning_rate = 0.002f;
  auto one = run(o);
  CHECK(one.test_accuracy.size() == 1);
  CHECK(one.test_accuracy.back() > 0.5);
  o.agents = 3;
  CHECK(run(o).test_accuracy == one.test_accuracy);
  o.target_accuracy = 0.1;
  o.epochs = 5;
  auto early = run(o);
  CHECK(early.reason == stop_reason::target_reached);
  CHECK(early.test_accuracy.size() == 1);
}

TEST_CASE("messages alone: a model that computes nothing steps through its run") {
  auto o = small_job();
  o.model = "none";
  o.agents = 4;
  o.steps = 200;
  auto r = run(o);
  CHECK(r.steps == 200);
  CHECK(r.dropped_messages == 0);
}

TEST_CASE("jobs that contradict themselves are refused with one sentence") {
  auto refused = [](auto change) {
    auto o = small_job();
    change(o);
    auto r = validate(o);
    REQUIRE_FALSE(r);
    CHECK(r.error().sentence.find('\n') == std::string::npos);
    return r.error().sentence;
  };
  CHECK(refused([](auto& o) { o.model = "lenett"; }).find("lenet") != std::string::npos);
  CHECK(refused([](auto& o) { o.micro_batch = 7; }).find("multiple") != std::string::npos);
  CHECK(refused([](auto& o) { o.agents = 7; }).find("at most 6") != std::string::npos);
  CHECK(refused([](auto& o) { o.agents = 0; }).find("at least 1 agent") != std::string::npos);
  CHECK(refused([](auto& o) { o.steps = 0; }).find("--epochs") != std::string::npos);
  CHECK(refused([](auto& o) { o.sync = "gossip"; }).find("ring") != std::string::npos);
  CHECK(refused([](auto& o) {
          o.sync = "ring";
          o.staleness = 2;
        }).find("--staleness") != std::string::npos);
  CHECK(refused([](auto& o) {
          o.sync = "ring";
          o.isolation = isolation::process;
        }).find("--isolation") != std::string::npos);
  CHECK(refused([](auto& o) { o.staleness = 65; }).find("64") != std::string::npos);
  CHECK(refused([](auto& o) {
          o.reproducible = true;
          o.asynchronous = true;
        }).find("--reproducible") != std::string::npos);
  CHECK(refused([](auto& o) { o.device = "cuda"; }).find("cpu") != std::string::npos);
  CHECK(refused([](auto& o) { o.resume = true; }).find("--checkpoint") != std::string::npos);
  CHECK(refused([](auto& o) { o.nodes = {"somewhere"}; }).find("HOST:PORT") != std::string::npos);
  CHECK(refused([](auto& o) { o.optimizer.learning_rate = 0; }).find("positive") != std::string::npos);
  CHECK(refused([](auto& o) { o.target_accuracy = 97; }).find("fraction") != std::string::npos);
}
