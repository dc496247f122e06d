// Runs that are stopped, resumed and started from files, and files that cannot be written.

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "actors/lock_journal.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/topology/small_job.hpp"

using namespace troupe;
using namespace troupe::test;

TEST_CASE("every optimiser survives a stop: the resumed run ends with the bits of the uninterrupted one") {
  using learn::optimizer_kind;
  for (auto kind : {optimizer_kind::sgd, optimizer_kind::momentum, optimizer_kind::adam, optimizer_kind::adamw,
                    optimizer_kind::rmsprop}) {
    auto folder = temporary_folder{};
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
  auto folder = temporary_folder{};
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

TEST_CASE("--resume begins a run that has no checkpoint yet") {
  auto folder = temporary_folder{};
  auto o = small_job();
  auto whole = run(o);
  o.checkpoint = (folder.path() / "checkpoints").string();
  o.resume = true;
  CHECK(run(o).weights_sha256 == whole.weights_sha256);
}

TEST_CASE("exported weights are what a run starts from with --init") {
  auto folder = temporary_folder{};
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
  auto folder = temporary_folder{};
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
  auto folder = temporary_folder{};
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
  CHECK(text_of(o.checkpoint + "/latest") == "step-000000004\n");
}
