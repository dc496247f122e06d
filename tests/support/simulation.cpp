#include "tests/support/simulation.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iostream>
#include <omp.h>

#include "messages/caf.hpp"
#include "messages/registry.hpp"

namespace troupe::testing {

namespace {

/// A run that handles more than this never comes to rest (I12).
constexpr uint64_t most_steps = 2'000'000;

/// How long a message may have to wait for its turn while others are handled.
constexpr nanoseconds slowest_message = std::chrono::milliseconds{50};

} // namespace

simulation::settings::settings() {
  register_messages();
  set("caf.logger.console.verbosity", "quiet");
}

void simulation::kill(const caf::strong_actor_ptr& actor) {
  actor->enqueue(envelope(nullptr, caf::make_message_id(caf::message_priority::high),
                          caf::make_message(caf::exit_msg{actor->address(), caf::exit_reason::kill})),
                 nullptr);
}

simulation::simulation(uint64_t seed, const fault_mix& most)
  : dice_(seed, 1), drawn_(fault_mix::draw(dice_, most)), output_(std::cout.rdbuf(nullptr)) {
  omp_set_num_threads(1); // devices compute on this thread
  system().await_actors_before_shutdown(false);
  trace_.enter("(nobody)");
  seats_.resize(system().latest_actor_id() + 1);
}

simulation::~simulation() {
  tear_down();
  kept_.clear();
  trace_.forget();
  finish_work(); // what the last actors left behind
  std::cout.rdbuf(output_);
  std::cout.clear();
}

// -- what there is --------------------------------------------------------------------------------

host simulation::add_host(std::string name, std::function<void()> boot) {
  const host where{static_cast<uint32_t>(machines_.size())};
  const auto shown = trace_.enter(name);
  machines_.push_back({.name = std::move(name), .shown = shown, .boot = std::move(boot)});
  if (machines_.back().boot)
    after(nanoseconds{0}, [this, where] { on(where, machines_[where.index].boot); });
  return where;
}

gpu::device simulation::add_device(host where, nanoseconds work_time) {
  auto& all = machines_[where.index].engines;
  auto made = gpu::device::stepped({.index = static_cast<int>(all.size()), .threads = 1});
  all.push_back({made, work_time, {}});
  return made;
}

/// Actors that were spawned since the last call live on that host.
void simulation::claim(host where) {
  const auto last = system().latest_actor_id();
  const auto life = where.index < machines_.size() ? machines_[where.index].life : 1;
  while (seats_.size() <= last)
    seats_.push_back({.where = where, .life = life});
}

simulation::seat& simulation::seat_of(caf::abstract_actor* actor) {
  claim(here_);
  auto& result = seats_[actor->id()];
  if (!result.actor)
    result.actor = caf::actor_cast<caf::weak_actor_ptr>(actor);
  return result;
}

void simulation::name_actor(const caf::strong_actor_ptr& actor, std::string name, mortality may_end) {
  auto& s = seat_of(actor->get());
  s.shown = trace_.enter(std::move(name));
  s.named = true;
  s.may_end = may_end;
}

// -- time -----------------------------------------------------------------------------------------

void simulation::at(instant when, std::function<void()> f) {
  stepped_.at(when, std::move(f));
}

/// Up to the next timer; false where there is none until the limit.
bool simulation::pass_time(instant limit) {
  const auto next = stepped_.next_timer();
  return next && *next <= limit && stepped_.run_timer();
}

bool simulation::stands(host where) {
  const auto& m = machines_[where.index];
  return m.up && now() < m.stands_until;
}

/// Indices of jobs whose hosts do not stand still.
std::vector<size_t> simulation::runnable() {
  std::vector<size_t> result;
  for (size_t i = 0; i < stepped_.ready(); ++i)
    if (!stands(seat_of(stepped_.ready(i)).where))
      result.push_back(i);
  return result;
}

std::vector<std::pair<host, size_t>> simulation::working_engines() {
  std::vector<std::pair<host, size_t>> result;
  for (uint32_t i = 0; i < machines_.size(); ++i)
    if (!stands({i}))
      for (size_t k = 0; k < machines_[i].engines.size(); ++k)
        if (const auto& e = machines_[i].engines[k]; now() >= e.busy_until && e.device.has_work())
          result.emplace_back(host{i}, k);
  return result;
}

void simulation::run_engine(host where, size_t index) {
  trace_.add(now().time_since_epoch(), trace::kind::computes, machines_[where.index].shown, std::string{});
  const auto device = machines_[where.index].engines[index].device;
  on(where, [&] { device.step(); });
  auto& e = machines_[where.index].engines[index];
  if (e.work_time > nanoseconds{0}) {
    const auto pause = dice_.between(nanoseconds{0}, e.work_time);
    e.busy_until = now() + pause;
    after(pause, [] {}); // something to wait for
  }
}

bool simulation::step(instant limit) {
  if (++steps_ > most_steps)
    violated(fmt::format("I12: the run does not come to rest: {} messages were handled", most_steps));
  if (violation_)
    return false;
  const auto all_stand = now() >= stall_ends_;
  const auto jobs = all_stand ? std::vector<size_t>{} : runnable();
  const auto ready = all_stand ? stepped_.ready() : jobs.size();
  const auto engines = working_engines();
  const auto choices = ready + engines.size();
  if (choices == 0 && !pass_time(limit)) {
    stepped_.set_now(limit);
    return false;
  }
  if (choices == 0 ||
      (mix_.haste > 0 && dice_.chance(mix_.haste) && pass_time(std::min(limit, now() + slowest_message))))
    return true;
  const auto chosen = dice_.below(choices);
  if (chosen < ready)
    run_job(all_stand ? chosen : jobs[chosen]);
  else
    run_engine(engines[chosen - ready].first, engines[chosen - ready].second);
  return true;
}

void simulation::run_job(size_t index) {
  auto* actor = stepped_.ready(index);
  auto& s = seat_of(actor);
  const auto where = s.where;
  if (auto* next = actor->peek_at_next_mailbox_element()) {
    if (!s.named) {
      s.named = true;
      const auto* local = dynamic_cast<caf::local_actor*>(actor);
      s.shown = trace_.enter(fmt::format("{}#{}", local != nullptr ? local->name() : "actor", actor->id()));
    }
    trace_.add(now().time_since_epoch(), trace::kind::handles, s.shown, next->payload);
    const handling about{trace_.name(s.shown), where, next->payload};
    for (const auto& f : watchers_)
      f(about);
  }
  on(where, [&] { stepped_.run(index); });
}

// -- running --------------------------------------------------------------------------------------

bool simulation::run_until(const std::function<bool()>& done, nanoseconds limit) {
  const auto end = now() + limit;
  while (!violation_ && !done()) {
    if (now() >= end || (!step(end) && now() >= end))
      return !violation_ && done();
  }
  return !violation_;
}

bool simulation::expect(const std::string& what, const std::function<bool()>& done, nanoseconds limit) {
  if (run_until(done, limit))
    return true;
  if (!violation_)
    violated(fmt::format("{}: not so within {} after the faults stopped", what, troupe::to_string(limit)));
  return false;
}

void simulation::violated(std::string sentence) {
  if (violation_)
    return;
  note(sentence);
  violation_ = std::move(sentence);
}

void simulation::note(std::string text) {
  log(trace::kind::note, 0, std::move(text));
}

void simulation::log(trace::kind what, uint32_t who, std::string text) {
  trace_.add(now().time_since_epoch(), what, who, std::move(text));
}

/// Work that is left lets go of what it holds.
void simulation::finish_work() {
  for (auto& m : machines_)
    for (const auto& e : std::exchange(m.engines, {}))
      wrecks_.push_back(e.device);
  for (const auto& d : wrecks_)
    while (d.step()) {
    }
}

/// Whatever is left ends.
void simulation::tear_down() {
  watchers_.clear();
  on_reconnect_ = {};
  stormy_ = false;
  claim(here_);
  for (auto& m : machines_) {
    m.up = false;
    m.boot = {};
    m.stands_until = {};
  }
  for (int round = 0; round < 3; ++round) {
    for (size_t i = 0; i < stepped_.ready(); ++i)
      seat_of(stepped_.ready(i));
    for (size_t i = 0; i < seats_.size(); ++i) // by index: ends may spawn
      if (auto actor = caf::actor_cast<caf::strong_actor_ptr>(seats_[i].actor))
        kill(actor);
    for (auto& [between, each] : lines_)
      each.proxies.clear();
    finish_work();
    while (stepped_.run_first())
      claim(here_);
    stepped_.forget_timers();
  }
}

} // namespace troupe::testing
