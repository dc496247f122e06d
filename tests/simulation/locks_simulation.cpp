// A lock service and its customers on hosts of their own, which die, stand still for longer than their leases and are
// cut off, with a journal on a disk that fails. What the locks protect sees one customer at a time all the same.

#include <caf/event_based_actor.hpp>

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <unistd.h>

#include "actors/lock_client.hpp"
#include "actors/lock_service.hpp"
#include "messages/caf.hpp"
#include "messages/fence.hpp"
#include "supervision/run_tree.hpp"
#include "tests/simulation/scenarios.hpp"
#include "tests/support/simulated_disk.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

constexpr fault_mix most{.loss = 0.2,
                         .twice = 0.5,
                         .reorder = 0.5,
                         .delay = 50ms,
                         .kills = 2,
                         .crashes = 0.3,
                         .pauses = 0.5,
                         .cuts = 0.3,
                         .disk_faults = 0.1,
                         .haste = 0.05};

const std::string names[] = {"left", "right"};

class bank {
public:
  /// `fair`: nothing goes wrong and everybody waits, so that whoever came first is served first.
  bank(simulation& world, bool fair) : world_(world), fair_(fair), disk_(empty(folder_), dice{world.chance().word()}) {
    disk_.fail_at(fair ? 0 : world.mix().disk_faults);
    root_ = world.add_host("root");
    counter_ = world.add_host("counter", [this] { open_counter(); });
    for (uint64_t i = 0; i < 2 + world.chance().below(4); ++i)
      streets_.push_back(world.add_host(fmt::format("street {}", i), [] {}));
    served_.resize(streets_.size());
    beliefs_.resize(streets_.size());
    world.on_handling([this](const handling& h) { handles(h); });
    vault_ = world.on(root_, [this] { return world_.system().spawn([this] { return guard_vault(); }); });
    world.name(vault_, "vault");
    auto tree = supervise("bank", one_for_one, at_most(1000, 1min)).child(world.start_on(counter_, service()));
    for (size_t i = 0; i < streets_.size(); ++i)
      tree.child(world.start_on(streets_[i], customer(i)));
    world.on(root_, [&] {
      auto running =
        run_tree(world_.system(), tree, {.on_ready = [this] { ready_ = true; }, .on_report = {}, .on_end = {}});
      if (!running)
        world_.violated("S8: a good tree is refused: " + running.error().sentence);
    });
  }

  ~bank() { fs::remove_all(folder_); }

  void calm() {
    disk_.fail_at(0);
    world_.calm();
  }

  [[nodiscard]] bool is_ready() const { return ready_; }
  [[nodiscard]] std::vector<uint64_t> served() const { return served_; }

private:
  static fs::path working_folder() {
    const fs::path memory = "/dev/shm";
    return (fs::exists(memory) ? memory : fs::temp_directory_path()) / fmt::format("troupe-locks-{}", ::getpid());
  }
  static fs::path empty(const fs::path& folder) {
    fs::remove_all(folder);
    fs::create_directories(folder);
    return folder;
  }

  // -- the service --------------------------------------------------------------------------------

  void open_counter() {
    if (journal_ && world_.chance().below(2) == 0)
      disk_.lose_power();
    journal_ = std::make_shared<lock_journal>(folder_ / "locks", disk_);
    lane_ = world_.add_device(counter_, 5ms);
  }

  startable service() {
    return {"lock_service/0", [this](const start_context& c) -> started {
              if (!journal_)
                open_counter(); // the host was up before this was here
              const auto handle =
                spawn_in_place<lock_service>(c.system, c.link(), {{"lock_service", 0}, journal_, *lane_, {}, {}});
              service_ = caf::actor_cast<caf::weak_actor_ptr>(handle);
              return handle;
            }};
  }

  // -- what the locks protect ---------------------------------------------------------------------

  caf::behavior guard_vault() {
    return {[this](uint32_t which, uint64_t token) {
      if (!fences_[which].accepts({token}))
        return;
      if (token < accepted_[which])
        world_.violated(fmt::format("I6: token {} is accepted after {}", token, accepted_[which]));
      accepted_[which] = token;
    }};
  }

  // -- customers ----------------------------------------------------------------------------------

  startable customer(size_t i) {
    return {fmt::format("customer/{}", i), [this, i](const start_context& c) -> started {
              auto actor = c.system.spawn([this, i, n = c.number](caf::event_based_actor* self) {
                auto client =
                  std::make_shared<lock_client>(member{{"customer", static_cast<uint32_t>(i)}, n}, ports(self, i));
                beliefs_[i] = client;
                self->attach_functor([this, i, which = std::weak_ptr{client}] {
                  if (beliefs_[i].lock() == which.lock())
                    beliefs_[i].reset(); // the dead believe nothing
                });
                run_after(self, world_.chance().between(1ms, 500ms), [=, this] { visit(self, i, *client); });
                return caf::behavior{[client](const lock_granted& g) { client->on(g); },
                                     [client](const lock_refused& r) { client->on(r); },
                                     [client](const lock_released& r) { client->on(r); }};
              });
              return actor;
            }};
  }

  lock_client::ports ports(caf::event_based_actor* self, size_t i) {
    return {[self] { return self->home_system().clock().now(); },
            [self](nanoseconds pause, std::function<void()> f) { run_after(self, pause, std::move(f)); },
            [this, self, i](caf::message what) {
              if (const auto to = caf::actor_cast<caf::strong_actor_ptr>(service_))
                enqueue_as(caf::actor_cast<caf::strong_actor_ptr>(self), world_.reach(streets_[i], to),
                           std::move(what));
              return true; // it is being started again
            }};
  }

  void visit(caf::event_based_actor* self, size_t i, lock_client& client) {
    const auto which = static_cast<uint32_t>(world_.chance().below(2));
    lock_client::wish w{names[which], std::chrono::milliseconds{200 + world_.chance().below(2000)}, 1min};
    if (!fair_)
      w.wait = std::chrono::milliseconds{world_.chance().below(3) == 0 ? 0 : world_.chance().below(10000)};
    const auto later = [=, this, &client] {
      run_after(self, world_.chance().between(1ms, 1s), [=, this, &client] { visit(self, i, client); });
    };
    client.acquire(
      w,
      [=, this, &client](const expected<fencing_token>& token) {
        if (!token)
          return later();
        holds(i, which, *token);
        work(self, i, client, {which, *token, world_.chance().between(1ms, 3s)});
      },
      later);
  }

  struct task {
    uint32_t which;
    fencing_token token;
    nanoseconds left;
  };

  void work(caf::event_based_actor* self, size_t i, lock_client& client, task t) {
    if (client.holds(names[t.which]) != t.token)
      return; // `lost` says so
    troupe::send(self, world_.reach(streets_[i], vault_), t.which, t.token.value);
    const auto pause = std::min<nanoseconds>(t.left, 100ms);
    t.left -= pause;
    if (pause > 0ns) {
      run_after(self, pause, [=, this, &client] { work(self, i, client, t); });
      return;
    }
    client.release(names[t.which]);
    ++served_[i];
    run_after(self, world_.chance().between(1ms, 1s), [=, this, &client] { visit(self, i, client); });
  }

  // -- what must hold -----------------------------------------------------------------------------

  void holds(size_t i, uint32_t which, fencing_token token) {
    for (size_t other = 0; other < beliefs_.size(); ++other)
      if (const auto client = beliefs_[other].lock(); client && other != i && client->holds(names[which]))
        world_.violated(fmt::format("two hold {}: customer/{} by token {}, customer/{} by token {}", names[which], i,
                                    token.value, other, client->holds(names[which])->value));
    if (!held_.insert(token).second)
      world_.violated(fmt::format("I6: token {} is granted twice", token.value));
  }

  /// "customer/1#3 17": a request of an incarnation.
  static std::string key(const std::string& who, uint64_t request) { return fmt::format("{} {}", who, request); }

  void handles(const handling& h) {
    if (h.who.starts_with("lock_service") && h.what.match_elements<acquire_lock>()) {
      const auto& a = h.what.get_as<acquire_lock>(0);
      const auto who = key(fmt::format("{}#{}", to_string(a.who.role), a.who.incarnation.value), a.request);
      if (floor_.try_emplace(who, held_.empty() ? fencing_token{} : *held_.rbegin()).second)
        arrived_[a.name].push_back(who);
    } else if (h.who.starts_with("customer") && h.what.match_elements<lock_granted>()) {
      const auto& g = h.what.get_as<lock_granted>(0);
      const auto who = key(h.who, g.request);
      if (!told_.insert(who).second)
        return;
      if (const auto asked = floor_.find(who); asked != floor_.end() && g.token <= asked->second)
        world_.violated(fmt::format("I6: token {} is granted after token {} was", g.token.value, asked->second.value));
      auto& queue = arrived_[g.name];
      if (fair_ && (queue.empty() || queue.front() != who))
        world_.violated(fmt::format("{} is granted to {} before {}, who came first", g.name, who,
                                    queue.empty() ? "anybody" : queue.front()));
      std::erase(queue, who);
    }
  }

  simulation& world_;
  bool fair_;
  bool ready_ = false;
  fs::path folder_ = working_folder();
  simulated_disk disk_;
  host root_;
  host counter_;
  std::vector<host> streets_;
  std::shared_ptr<lock_journal> journal_;
  std::optional<gpu::device> lane_;
  caf::weak_actor_ptr service_;
  caf::actor vault_;
  fence fences_[2];
  uint64_t accepted_[2] = {};
  std::vector<uint64_t> served_;
  std::vector<std::weak_ptr<lock_client>> beliefs_;
  std::set<fencing_token> held_;
  std::map<std::string, fencing_token> floor_; ///< by request: the highest token that was told when it arrived
  std::map<std::string, std::vector<std::string>> arrived_;
  std::set<std::string> told_;
};

void play(simulation& world) {
  const bool fair = world.chance().below(8) == 0;
  auto& all = world.make<bank>(world, fair);
  world.run_until([&] { return all.is_ready(); }, 1min);
  if (fair) {
    all.calm();
    world.run_until([] { return false; }, 10s);
  } else {
    world.storm(15s);
    all.calm();
  }
  const auto before = all.served();
  world.expect(
    "I8: everybody is served, twice",
    [&] {
      const auto now = all.served();
      for (size_t i = 0; i < now.size(); ++i)
        if (now[i] < before[i] + 2)
          return false;
      return true;
    },
    5min);
}

} // namespace

scenario troupe::testing::locks_scenario() {
  return {.most = most, .play = play};
}
