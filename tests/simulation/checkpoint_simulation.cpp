// Checkpoints on a disk that fills up, and whose power fails at any operation: what was acknowledged is there, and the
// run that goes on from it ends with the weights of the undisturbed one.

#include <filesystem>
#include <fmt/format.h>
#include <unistd.h>

#include "actors/audit.hpp"
#include "learn/checkpoint/checkpoint.hpp"
#include "tests/simulation/scenarios.hpp"
#include "tests/simulation/tiny_model.hpp"
#include "tests/simulation/training_world.hpp"
#include "tests/simulation/undisturbed_run.hpp"
#include "tests/support/simulated_disk.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

constexpr fault_mix most{.twice = 0.2, .delay = 5ms, .kills = 0.5, .pauses = 0.2, .disk_faults = 0.05, .haste = 0.05};

/// The checkpoints of a run, over all its lives.
class archive {
public:
  archive(simulation& world, uint32_t shards)
    : world_(world), shards_(shards), disk_(empty(folder_), dice{world.chance().word()}) {
    disk_.fail_at(world.mix().disk_faults);
  }

  ~archive() { fs::remove_all(folder_); }

  expected<void> save(const model_state& now, fencing_token token) {
    std::vector<std::span<const float>> states;
    for (const auto& s : now.state)
      states.push_back(s.values());
    const auto shards = learn::cut_into_shards(layout_, now.parameters.values(), states, now.version.value, shards_);
    const auto written =
      learn::write_checkpoint(folder_, {.step = now.version.value}, layout_, shards, {.token = token.value}, disk_);
    if (!written)
      return tl::unexpected(written.error());
    if (!disk_.has_stopped())
      acknowledged_ = now.version; // else the process did not live to say so
    return {};
  }

  /// The locks under which a life writes.
  std::shared_ptr<lock_journal> journal() { return std::make_shared<lock_journal>(folder_ / "locks", disk_); }

  /// Of a life that begins at this step.
  std::shared_ptr<ledger> book(step first) {
    book_ = std::make_shared<ledger>(folder_ / "ledger", training_world::ledger_from(first), disk_);
    return book_;
  }

  /// Every sample of every life took effect once (I1).
  void audit() {
    if (const auto written = book_->flush(); !written)
      return world_.violated("the disk works and " + written.error().sentence);
    const auto found = audit_ledger(folder_);
    if (!found)
      world_.violated("I1: " + found.error().sentence);
    else if (!found->is_good() || found->steps != undisturbed_run::known({}).steps())
      world_.violated("I1: the ledger says: " + to_string(*found));
  }

  /// The power fails now, or has failed some operations ago.
  void lose_power() { disk_.lose_power(); }
  void fail_after(int operations) { disk_.stop_after(operations); }
  void repair() { disk_.fail_at(0); }
  [[nodiscard]] bool has_failed() const { return disk_.has_stopped(); }

  /// Where the next life begins; null: at the beginning (I7).
  std::shared_ptr<const model_state> newest() {
    auto read = learn::read_latest_checkpoint(folder_, layout_);
    if (!read) {
      if (acknowledged_)
        world_.violated(fmt::format("I7: the checkpoint of step {} was acknowledged, and now: {}", acknowledged_->value,
                                    read.error().sentence));
      return nullptr;
    }
    const step version{read->meta.step};
    if (acknowledged_ && version < *acknowledged_)
      world_.violated(fmt::format("I7: the newest checkpoint is of step {}, and that of step {} was acknowledged: {}",
                                  version.value, acknowledged_->value, read->note));
    acknowledged_ = version;
    for (size_t b = 0; b < layout_.blocks().size(); ++b) {
      const auto& where = layout_.blocks()[b];
      if (const auto wrong = undisturbed_run::known({}).differs(
            version, b, std::as_const(read->parameters).values().subspan(where.offset, where.size)))
        world_.violated("I7: the checkpoint holds other parameters: " + *wrong);
    }
    return std::make_shared<const model_state>(
      model_state{version, std::move(read->parameters), std::move(read->state)});
  }

private:
  /// Alike in both runs of a seed, and in memory where that can be: what the disk does is simulated.
  static fs::path working_folder() {
    const fs::path memory = "/dev/shm";
    return (fs::exists(memory) ? memory : fs::temp_directory_path()) / fmt::format("troupe-checkpoints-{}", ::getpid());
  }
  static fs::path empty(const fs::path& folder) {
    fs::remove_all(folder);
    fs::create_directories(folder);
    return folder;
  }

  simulation& world_;
  uint32_t shards_;
  learn::layout layout_ = tiny_model{}.layout();
  fs::path folder_ = working_folder();
  simulated_disk disk_;
  std::shared_ptr<ledger> book_;
  std::optional<step> acknowledged_;
};

void play(simulation& world) {
  training_shape shape{.shards_apart = false, .checkpoint_every = 1};
  shape.agents = static_cast<uint32_t>(1 + world.chance().below(2));
  shape.shards = static_cast<uint32_t>(1 + world.chance().below(3));
  const auto where = training_world::add_hosts(world, shape);
  auto& saved = world.make<archive>(world, shape.shards);
  std::shared_ptr<const model_state> initial;
  for (auto lives = 1 + world.chance().below(3); !world.violation(); --lives) {
    auto& run = world.make<training_world>(
      world, shape, where, initial, [&saved](const model_state& now, fencing_token t) { return saved.save(now, t); },
      saved.journal(), saved.book(initial ? initial->version : step{}));
    world.run_until([&] { return run.is_ready() || run.has_ended(); }, 1min);
    if (lives == 1) {
      world.storm(5s);
      world.calm();
      saved.repair();
      world.expect(
        "I8: the run comes to its end", [&] { return run.has_ended(); }, 5min);
      run.check_end();
      if (run.outcome() && *run.outcome())
        saved.audit();
      return;
    }
    saved.fail_after(static_cast<int>(world.chance().below(100)));
    world.storm(world.chance().between(100ms, 3s));
    world.run_until([&] { return saved.has_failed() || run.has_ended(); }, 3s);
    world.crash(where.leader);
    for (const auto& each : where.agents)
      world.crash(each);
    saved.lose_power();
    run.retire();
    world.run_until([] { return false; }, 100ms); // nothing of the old life is left under way
    world.boot(where.leader);
    for (const auto& each : where.agents)
      world.boot(each);
    initial = saved.newest();
  }
}

} // namespace

scenario troupe::testing::checkpoint_scenario() {
  return {.most = most, .play = play};
}
