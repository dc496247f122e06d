#pragma once

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <functional>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gpu/device.hpp"
#include "supervision/supervise.hpp"
#include "tests/support/dice.hpp"
#include "tests/support/fault_mix.hpp"
#include "tests/support/link.hpp"
#include "tests/support/stepped_system.hpp"
#include "tests/support/trace.hpp"

namespace troupe::testing {

/// A simulated machine.
struct host {
  uint32_t index = 0;
  auto operator<=>(const host&) const = default;
};

/// Whether the storm may end an actor.
enum class mortality : uint8_t { immortal, mortal };

/// A message that an actor is about to handle.
struct handling {
  const std::string& who; ///< as named with `simulation::name`
  host where;
  const caf::message& what;
};

/// Several hosts in one process and one thread. Real actors run one message at a time in an order drawn from the seed,
/// on a clock that jumps from timer to timer; messages between hosts travel over links that delay, lose and double
/// them; actors, hosts and links fail by a mix that is drawn from the seed as well. The same seed runs the same way
/// (I14), so whatever it finds can be looked at again.
///
/// A run has two phases: `storm`, during which things go wrong and nothing forbidden may happen, and `calm`, after
/// which what has to happen must happen (`expect`). Report what must not be with `violated`; the first one ends the
/// run.
class simulation {
public:
  /// Draws the mix of faults from the seed, below `most`.
  simulation(uint64_t seed, const fault_mix& most);
  simulation(const simulation&) = delete;
  simulation& operator=(const simulation&) = delete;
  /// Ends every actor that is left.
  ~simulation();

  // -- what there is (network.cpp) ------------------------------------------------------------------

  [[nodiscard]] caf::actor_system& system() { return stepped_.system(); }

  /// `boot` starts what runs there, now and after each crash. A host without it never crashes.
  host add_host(std::string name, std::function<void()> boot = {});
  /// A device whose work is done in drawn order too, each piece in up to `work_time`; what is under way is lost with
  /// its host.
  gpu::device add_device(host where, nanoseconds work_time = {});

  /// Ends all that is on a host, at once; its peers notice by themselves.
  void crash(host where);
  /// Starts a host that has crashed.
  void boot(host where);
  /// How often a host has been started.
  [[nodiscard]] uint64_t life(host where) const { return machines_[where.index].life; }

  /// Runs `f` as if on that host: actors spawned in it live there.
  template <class F>
  decltype(auto) on(host where, F&& f) {
    const stay here{*this, where};
    return std::forward<F>(f)();
  }

  /// The handle that an actor of another host has in the eyes of `from`: what is sent to it travels.
  template <class Handle>
  Handle reach(host from, const Handle& handle) {
    return caf::actor_cast<Handle>(proxy(from, caf::actor_cast<caf::strong_actor_ptr>(handle)));
  }

  /// What starts `what` on a host on behalf of a supervisor elsewhere. The word of it travels; an earlier incarnation
  /// that is still there is ended first. The start must not be one that takes its time.
  startable start_on(host where, startable what, mortality may_end = mortality::mortal);

  /// Makes what a scenario consists of. It lives until every actor has ended, so actors may refer to it.
  template <class T, class... Arguments>
  T& make(Arguments&&... arguments) {
    auto made = std::make_shared<T>(std::forward<Arguments>(arguments)...);
    kept_.push_back(made);
    return *made;
  }

  /// Names an actor in the trace.
  template <class Handle>
  void name(const Handle& handle, const std::string& name, mortality may_end = mortality::immortal) {
    name_actor(caf::actor_cast<caf::strong_actor_ptr>(handle), name, may_end);
  }

  /// Does `f` on the other host after the time that a message takes, or `lost`, if that cannot be.
  void travel(host from, host to, std::function<void()> f, std::function<void()> lost = {});

  // -- time and chance ------------------------------------------------------------------------------

  [[nodiscard]] instant now() { return stepped_.now(); }
  [[nodiscard]] dice& chance() { return dice_; }
  /// What goes wrong now, and what the seed drew for the storm.
  [[nodiscard]] const fault_mix& mix() const { return mix_; }
  [[nodiscard]] const fault_mix& drawn() const { return drawn_; }
  void after(nanoseconds delay, std::function<void()> f) { at(now() + delay, std::move(f)); }

  // -- running --------------------------------------------------------------------------------------

  /// Lets things go wrong for a while.
  void storm(nanoseconds time);
  /// Repairs everything that the storm broke: from here on nothing goes wrong.
  void calm();
  /// Until `done`, at most for `limit`. False where it was not.
  bool run_until(const std::function<bool()>& done, nanoseconds limit);
  /// As `run_until`, and a violation where it was not.
  bool expect(const std::string& what, const std::function<bool()>& done, nanoseconds limit);

  // -- finding out ----------------------------------------------------------------------------------

  /// Called before each message that a named actor handles.
  void on_handling(std::function<void(const handling&)> f) { watchers_.push_back(std::move(f)); }
  /// Called when two hosts can talk again whose connection was lost.
  void on_reconnect(std::function<void(host, host)> f) { on_reconnect_ = std::move(f); }
  /// "I4: …", a sentence. Ends the run.
  void violated(std::string sentence);
  [[nodiscard]] const std::optional<std::string>& violation() const { return violation_; }
  void note(std::string text);

  [[nodiscard]] trace& history() { return trace_; }
  [[nodiscard]] uint64_t steps() const { return steps_; }

private:
  friend class link_proxy;

  struct settings : caf::actor_system_config {
    settings();
  };
  struct engine {
    gpu::device device;
    nanoseconds work_time;
    instant busy_until;
  };
  /// What a supervisor elsewhere had started here, in its latest incarnation.
  struct ward {
    host supervisor;
    caf::weak_actor_ptr actor;
  };
  /// A place where actors live, from one boot to the next crash.
  struct machine {
    std::string name;
    uint32_t shown = 0; ///< its name in the trace
    std::function<void()> boot;
    bool up = true;
    uint64_t life = 1;
    instant stands_until = {};
    std::vector<engine> engines = {};
    std::map<uint64_t, ward> wards = {}; ///< by `start_on`
  };
  struct seat {
    host where;
    uint64_t life = 1; ///< of its host
    uint32_t shown = 0;
    bool named = false;
    mortality may_end = mortality::immortal;
    caf::weak_actor_ptr actor;
  };
  struct line {
    link way;
    std::map<caf::actor_id, caf::strong_actor_ptr> proxies;
  };
  class stay { // for the time of a call
  public:
    stay(simulation& world, host where) : world_(world), before_(std::exchange(world.here_, where)) {
      world.claim(before_);
    }
    ~stay() { world_.claim(std::exchange(world_.here_, before_)); }
    stay(const stay&) = delete;
    stay& operator=(const stay&) = delete;

  private:
    simulation& world_;
    host before_;
  };

  void at(instant when, std::function<void()> f);
  bool step(instant limit);
  bool pass_time(instant limit);
  void run_job(size_t index);
  [[nodiscard]] std::vector<size_t> runnable();
  void run_engine(host where, size_t index);
  [[nodiscard]] std::vector<std::pair<host, size_t>> working_engines();
  [[nodiscard]] bool stands(host where);
  void claim(host where);
  seat& seat_of(caf::abstract_actor* actor);
  void name_actor(const caf::strong_actor_ptr& actor, std::string name, mortality may_end);
  void log(trace::kind what, uint32_t who, std::string text);

  line& line_between(host from, host to) { return lines_[{from, to}]; }
  caf::strong_actor_ptr proxy(host from, const caf::strong_actor_ptr& actor);
  void carry(host from, host to, const caf::strong_actor_ptr& receiver, caf::mailbox_element_ptr what);
  void lose_connection(host a, host b, nanoseconds noticed_after);
  void adopt(const ward& child, host where, uint64_t number, mortality may_end, std::string name);

  void schedule_fault(double rate, void (simulation::*fault)());
  void end_an_actor();
  void crash_a_host();
  void pause_a_host();
  void cut_a_link();
  void tear_down();
  void finish_work();
  /// At once: nothing that waits in its mailbox is handled first.
  static void kill(const caf::strong_actor_ptr& actor);

  dice dice_;
  fault_mix drawn_;
  fault_mix mix_ = drawn_;
  settings settings_;
  stepped_system stepped_{settings_};
  std::streambuf* output_; ///< of std::cout, where CAF prints each exception that ends an actor: here, part of the plan
  trace trace_;
  std::vector<machine> machines_;
  std::vector<gpu::device> wrecks_; ///< of hosts that crashed
  std::vector<seat> seats_;         ///< by actor id
  std::map<std::pair<host, host>, line> lines_;
  host here_;
  bool stormy_ = false;
  uint64_t next_start_ = 1;
  instant stall_ends_ = {}; ///< no host stands still after this
  uint64_t steps_ = 0;
  std::vector<std::function<void(const handling&)>> watchers_;
  std::function<void(host, host)> on_reconnect_;
  std::optional<std::string> violation_;
  std::vector<std::shared_ptr<void>> kept_;
};

} // namespace troupe::testing
