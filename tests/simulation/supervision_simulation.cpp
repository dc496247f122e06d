// Supervision trees of drawn shapes over three hosts, whose children end in every way, fail to start, and are cut off.

#include <array>
#include <caf/event_based_actor.hpp>
#include <fmt/format.h>
#include <memory>
#include <stdexcept>

#include "messages/caf.hpp"
#include "supervision/exit_reason.hpp"
#include "supervision/run_tree.hpp"
#include "tests/simulation/scenarios.hpp"
#include "tests/simulation/tree_rules.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

constexpr fault_mix most{
  .reorder = 0.2, .delay = 20ms, .kills = 3, .crashes = 0.2, .pauses = 0.3, .cuts = 0.3, .haste = 0.05};

class forest {
public:
  explicit forest(simulation& world) : world_(world) {
    hosts_.push_back(world.add_host("root"));
    hosts_.push_back(world.add_host("left", [] {}));
    hosts_.push_back(world.add_host("right", [] {}));
    ends_ = world.chance().unit();
    failing_starts_ = world.chance().below(2) == 0 ? 0 : world.chance().unit() * 0.4;
  }

  void grow() {
    auto tree = draw_branch("root", "root", at_most(6, 5s));
    const auto inner = 1 + world_.chance().below(3);
    for (uint64_t i = 0; i < inner; ++i) {
      const auto name = fmt::format("inner{}", i);
      const auto limit = draw_limit();
      tree.child(draw_branch(name, "root/" + name, limit));
    }
    if (world_.chance().below(2) == 0)
      tree.child(draw_pool("pool", "root/pool"));
    for (const auto& [path, b] : branches_)
      paths_.push_back(path);
    rules_ = std::make_unique<tree_rules>(world_, branches_);
    world_.on(hosts_[0], [&] {
      auto running = run_tree(world_.system(), tree,
                              {.on_ready = [this] { ready_ = true; },
                               .on_report = [this](const supervision_report& r) { rules_->reported(r); },
                               .on_end =
                                 [this](const tree_end& e) {
                                   end_ = e;
                                   rules_->gave_up("root", e.cause);
                                 }});
      if (!running)
        return world_.violated("S8: a good tree is refused: " + running.error().sentence);
      tree_ = *running;
      rules_->runs_as(*running);
    });
    if (world_.chance().below(2) == 0)
      call_after_a_while();
  }

  void calm() {
    ends_ = failing_starts_ = 0;
    world_.calm();
  }

  [[nodiscard]] bool has_ended() const { return end_.has_value(); }

  /// Every permanent child runs once, unless the tree gave up.
  [[nodiscard]] bool is_settled() const {
    if (has_ended())
      return true;
    for (const auto& [path, child] : permanent_)
      if (rules_->running(path, child).size() != 1)
        return false;
    return ready_;
  }

  void stop() {
    stopping_ = true;
    if (tree_ && !has_ended())
      tree_->stop();
  }

  /// No child is left, and no call is open (S8).
  [[nodiscard]] bool is_empty() const { return rules_->nobody_runs() && open_calls_ == 0; }

private:
  supervision_tree draw_branch(const std::string& name, const std::string& path, restart_limit limit) {
    auto& chance = world_.chance();
    const auto strategy = std::vector{one_for_one, one_for_all, rest_for_one}[chance.below(3)];
    limit.each = strategy == one_for_one && chance.below(2) == 0;
    auto tree = supervise(name, strategy, limit);
    if (chance.below(2) == 0)
      tree.backoff({.min = chance.between(1ms, 500ms), .max = 2s});
    auto& b = branches_[path] = {.limit = limit, .where = hosts_[0], .children = {}};
    const auto children = 1 + chance.below(4);
    for (uint64_t i = 0; i < children; ++i) {
      const auto where = hosts_[chance.below(2) == 0 ? 0 : 1 + chance.below(2)];
      const auto id = fmt::format("c{}", i);
      const auto type = chance.below(4) == 0 ? transient : permanent;
      if (type == permanent)
        permanent_.emplace_back(path, id);
      b.children.emplace_back(id, where);
      tree.child(world_.start_on(where, child(path, id)), type, ready_within(chance.between(100ms, 5s)));
    }
    return tree;
  }

  /// Children of a template, started and stopped while the tree runs.
  supervision_tree draw_pool(const std::string& name, const std::string& path) {
    auto limit = draw_limit();
    limit.each = world_.chance().below(2) == 0;
    branches_[path] = {.limit = limit, .where = hosts_[0], .children = {}};
    auto tree = supervise(name, simple_one_for_one, limit);
    tree.child(child(path, "c"), draw_type());
    return tree;
  }

  restart_limit draw_limit() {
    return at_most(static_cast<uint32_t>(world_.chance().below(5)), world_.chance().between(1s, 20s));
  }
  restart_type draw_type() { return std::array{permanent, transient, temporary}[world_.chance().below(3)]; }

  /// Somebody uses the dynamic API (S8), until the tree is stopped.
  void call_after_a_while() {
    world_.after(world_.chance().between(20ms, 2s), [this] {
      if (stopping_)
        return;
      world_.on(hosts_[0], [this] { call(); });
      call_after_a_while();
    });
  }

  void call() {
    auto& chance = world_.chance();
    const auto& path = paths_[chance.below(paths_.size())];
    const auto at = tree_ ? tree_->find(path) : std::nullopt;
    if (!at)
      return;
    const bool is_pool = path.ends_with("pool");
    const auto what = chance.below(is_pool ? 3 : 4);
    const auto id = is_pool ? fmt::format("c/{}", chance.below(8)) : fmt::format("d{}", chance.below(3));
    const auto done = answered(path, what == 1 || what == 3, what == 3);
    if (what == 0 && is_pool)
      at->start_child(caf::message{}, done);
    else if (what == 0)
      at->start_child(child(path, id), {.restart = draw_type()}, done);
    else if (what == 1)
      at->terminate_child(id, done);
    else if (what == 2)
      at->restart_child(id, done);
    else
      at->delete_child(id, done);
  }

  /// Each call is answered once; what was stopped or deleted does not run.
  supervisor::on_done answered(const std::string& path, bool stops, bool forgets) {
    ++open_calls_;
    return [this, path, stops, forgets, before = std::make_shared<bool>(false)](const call_result& r) {
      if (std::exchange(*before, true))
        return world_.violated(fmt::format("S8: a call about {}/{} is answered twice", path, r.child));
      --open_calls_;
      if (stops && !r.error && !rules_->running(path, r.child).empty())
        world_.violated(fmt::format("S8: {}/{} was stopped, and runs", path, r.child));
      if (forgets && !r.error)
        rules_->forgotten(path, r.child);
    };
  }

  startable child(const std::string& path, const std::string& name) {
    return {name, [this, path](const start_context& c) -> started {
              const auto& id = c.id;
              if (world_.chance().chance(failing_starts_))
                return failure{"the start fails as drawn"};
              rules_->started(path, id, c.number);
              auto actor = c.system.spawn([this](caf::event_based_actor* self) {
                live(self);
                return caf::behavior{[](int x) { return x; }};
              });
              world_.name(actor, fmt::format("{}/{}#{}", path, id, c.number.value), mortality::mortal);
              actor->attach_functor([this, path, id, n = c.number](const caf::error&) { rules_->ended(path, id, n); });
              return actor;
            }};
  }

  /// It ends by itself now and then.
  void live(caf::event_based_actor* self) {
    run_after(self, world_.chance().between(100ms, 10s), [this, self] {
      if (!world_.chance().chance(ends_))
        return live(self);
      switch (world_.chance().below(3)) {
      case 0:
        return self->quit();
      case 1:
        return self->quit(reason_of(failure{"it gives up"}));
      default:
        throw std::runtime_error("it throws");
      }
    });
  }

  simulation& world_;
  std::vector<host> hosts_;
  double ends_ = 0;
  double failing_starts_ = 0;
  std::map<std::string, tree_rules::branch> branches_;
  std::vector<std::pair<std::string, std::string>> permanent_;
  std::unique_ptr<tree_rules> rules_;
  std::optional<running_tree> tree_;
  std::optional<tree_end> end_;
  std::vector<std::string> paths_;
  int open_calls_ = 0;
  bool ready_ = false;
  bool stopping_ = false;
};

void play(simulation& world) {
  auto& all = world.make<forest>(world);
  all.grow();
  world.storm(40s);
  all.calm();
  world.expect(
    "I8: every permanent child runs, once", [&] { return all.is_settled(); }, 2min);
  all.stop();
  world.expect(
    "I9, S8: the tree has ended, no child is left, and every call is answered",
    [&] { return all.has_ended() && all.is_empty(); }, 2min);
}

} // namespace

scenario troupe::testing::supervision_scenario() {
  return {.most = most, .play = play};
}
