#include "tests/support/stepped_system.hpp"

#include <caf/action.hpp>
#include <caf/actor_clock.hpp>
#include <caf/config.hpp>
#include <caf/resumable.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#if CAF_MAJOR_VERSION >= 1
#include <caf/detail/actor_system_access.hpp>
#include <caf/scheduler.hpp>
#else
#include <caf/scheduler/test_coordinator.hpp>
#endif

namespace troupe::testing {

#if CAF_MAJOR_VERSION >= 1

namespace {

class stepped_clock final : public caf::actor_clock {
public:
  using caf::actor_clock::schedule;

  [[nodiscard]] time_point now() const noexcept override { return now_; }
  caf::disposable schedule(time_point when, caf::action f) override {
    timers_.emplace(when, f);
    return std::move(f).as_disposable();
  }

  time_point now_{duration_type{1}}; // the epoch may mean something else
  std::multimap<time_point, caf::action> timers_;
};

class stepped_scheduler final : public caf::scheduler {
public:
  void schedule(caf::resumable* job) override { jobs_.push_back(job); }
  void delay(caf::resumable* job) override { jobs_.push_back(job); }
  void start() override {}
  void stop() override {
    while (run_first()) {
    }
  }

  bool run_first() {
    if (jobs_.empty())
      return false;
    auto* job = jobs_.front();
    jobs_.pop_front();
    switch (job->resume(this, 1)) {
    case caf::resumable::resume_later:
      jobs_.push_front(job);
      break;
    case caf::resumable::shutdown_execution_unit:
      break;
    case caf::resumable::awaiting_message:
    case caf::resumable::done:
      caf::intrusive_ptr_release(job);
    }
    return true;
  }

  std::deque<caf::resumable*> jobs_;
};

} // namespace

struct stepped_system::engine {
  explicit engine(caf::actor_system_config& config) : system(config, &engine::equip, this) {}

  static void equip(caf::actor_system& system, caf::actor_system_config&, void* self) {
    auto new_clock = std::make_unique<stepped_clock>();
    auto new_scheduler = std::make_unique<stepped_scheduler>();
    static_cast<engine*>(self)->clock = new_clock.get();
    static_cast<engine*>(self)->scheduler = new_scheduler.get();
    caf::detail::actor_system_access access{system};
    access.clock(std::move(new_clock));
    access.scheduler(std::move(new_scheduler));
  }

  [[nodiscard]] auto& jobs() const { return scheduler->jobs_; }
  [[nodiscard]] auto& now() const { return clock->now_; }
  [[nodiscard]] auto& timers() const { return clock->timers_; }
  static caf::action& action_of(caf::action& timer) { return timer; }
  bool run_first() { return scheduler->run_first(); }

  stepped_clock* clock = nullptr; // the system's, as is the scheduler
  stepped_scheduler* scheduler = nullptr;
  caf::actor_system system;
};

#else

struct stepped_system::engine {
  explicit engine(caf::actor_system_config& config)
    : system(config.set("caf.scheduler.policy", "testing")),
      scheduler(dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler())) {}

  [[nodiscard]] auto& jobs() const { return scheduler.jobs; }
  [[nodiscard]] auto& now() const { return scheduler.clock().current_time; }
  [[nodiscard]] auto& timers() const { return scheduler.clock().schedule; }
  template <class Timer>
  static caf::action& action_of(Timer& timer) {
    return timer.f;
  }
  bool run_first() { return scheduler.try_run_once(); }

  caf::actor_system system;
  caf::scheduler::test_coordinator& scheduler;
};

#endif

stepped_system::stepped_system(caf::actor_system_config& config) : engine_(std::make_unique<engine>(config)) {}

stepped_system::~stepped_system() = default;

caf::actor_system& stepped_system::system() {
  return engine_->system;
}

size_t stepped_system::ready() const {
  return engine_->jobs().size();
}

caf::abstract_actor* stepped_system::ready(size_t index) const {
  return dynamic_cast<caf::abstract_actor*>(engine_->jobs()[index]);
}

void stepped_system::run(size_t index) {
  std::swap(engine_->jobs()[0], engine_->jobs()[index]);
  run_first();
}

bool stepped_system::run_first() {
  return engine_->run_first();
}

stepped_system::instant stepped_system::now() const {
  return engine_->now();
}

void stepped_system::set_now(instant to) {
  engine_->now() = std::max(now(), to);
}

void stepped_system::at(instant when, std::function<void()> f) {
  static_cast<caf::actor_clock&>(system().clock()).schedule(when, caf::make_action(std::move(f)));
}

std::optional<stepped_system::instant> stepped_system::next_timer() {
  auto& timers = engine_->timers();
  while (!timers.empty() && engine::action_of(timers.begin()->second).disposed())
    timers.erase(timers.begin());
  if (timers.empty())
    return std::nullopt;
  return timers.begin()->first;
}

bool stepped_system::run_timer() {
  const auto due = next_timer();
  if (!due)
    return false;
  set_now(*due);
  auto& timers = engine_->timers();
  auto f = engine::action_of(timers.begin()->second);
  timers.erase(timers.begin());
  f.run();
  return true;
}

void stepped_system::forget_timers() {
  engine_->timers().clear();
}

} // namespace troupe::testing
