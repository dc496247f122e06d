// What goes wrong in a simulation.

#include <algorithm>
#include <fmt/format.h>
#include <stdexcept>

#include "messages/caf.hpp"
#include "supervision/exit_reason.hpp"
#include "tests/support/simulation.hpp"

namespace troupe::testing {

using namespace std::chrono_literals;

void simulation::storm(nanoseconds time) {
  stormy_ = true;
  note(fmt::format("the storm begins: {}", to_string(mix_)));
  schedule_fault(mix_.kills, &simulation::end_an_actor);
  schedule_fault(mix_.crashes, &simulation::crash_a_host);
  schedule_fault(mix_.pauses, &simulation::pause_a_host);
  schedule_fault(mix_.cuts, &simulation::cut_a_link);
  run_until([] { return false; }, time);
}

void simulation::calm() {
  stormy_ = false;
  mix_ = mix_.calmed();
  stall_ends_ = {};
  for (auto& [between, each] : lines_) {
    const bool was_cut = each.way.is_cut(now());
    each.way.mend();
    if (was_cut && on_reconnect_)
      after(connection_patience, [this, ends = between] {
        if (on_reconnect_)
          on_reconnect_(ends.first, ends.second);
      });
  }
  for (uint32_t i = 0; i < machines_.size(); ++i) {
    machines_[i].stands_until = {};
    boot({i});
  }
  note("the storm is over");
}

/// `fault` happens `rate` times a second, for as long as the storm lasts.
void simulation::schedule_fault(double rate, void (simulation::*fault)()) {
  if (rate <= 0)
    return;
  const nanoseconds mean{static_cast<int64_t>(1e9 / rate)};
  after(dice_.between(0ns, 2 * mean), [this, rate, fault] {
    if (!stormy_)
      return;
    (this->*fault)();
    schedule_fault(rate, fault);
  });
}

void simulation::end_an_actor() {
  std::vector<std::pair<uint32_t, caf::strong_actor_ptr>> candidates;
  for (const auto& s : seats_)
    if (s.may_end == mortality::mortal && machines_[s.where.index].up && machines_[s.where.index].life == s.life)
      if (auto actor = caf::actor_cast<caf::strong_actor_ptr>(s.actor))
        if (!has_ended(actor))
          candidates.emplace_back(s.shown, std::move(actor));
  if (candidates.empty())
    return;
  const auto& [shown, actor] = candidates[dice_.below(candidates.size())];
  switch (dice_.below(3)) {
  case 0:
    log(trace::kind::fault, shown, "is killed");
    anon_send_exit(actor, caf::error{caf::exit_reason::kill});
    break;
  case 1:
    log(trace::kind::fault, shown, "throws");
    run_in(actor, [] { throw std::runtime_error("a fault of the storm"); });
    break;
  default:
    log(trace::kind::fault, shown, "fails");
    anon_send_exit(actor, reason_of(failure{"a fault of the storm"}));
  }
}

void simulation::crash_a_host() {
  std::vector<host> candidates;
  for (uint32_t i = 0; i < machines_.size(); ++i)
    if (machines_[i].up && machines_[i].boot)
      candidates.push_back({i});
  if (candidates.empty())
    return;
  const auto where = candidates[dice_.below(candidates.size())];
  crash(where);
  after(dice_.between(100ms, 3s), [this, where] { boot(where); });
}

void simulation::crash(host where) {
  auto& m = machines_[where.index];
  if (!m.up)
    return;
  claim(here_);
  for (size_t i = 0; i < stepped_.ready(); ++i)
    seat_of(stepped_.ready(i));
  log(trace::kind::fault, m.shown, "crashes");
  for (uint32_t i = 0; i < seats_.size(); ++i)
    if (seats_[i].where == where && seats_[i].life == m.life)
      if (auto actor = caf::actor_cast<caf::strong_actor_ptr>(seats_[i].actor)) // nothing of its end gets out
        kill(actor);
  m.up = false;
  for (const auto& e : std::exchange(m.engines, {}))
    wrecks_.push_back(e.device); // its work is never done
  m.wards.clear();
  for (uint32_t i = 0; i < machines_.size(); ++i) {
    line_between(where, {i}).way.lose();
    line_between({i}, where).way.lose();
    lose_connection(where, {i}, dice_.between(1ms, 5ms));
  }
}

void simulation::boot(host where) {
  auto& m = machines_[where.index];
  if (m.up)
    return;
  log(trace::kind::fault, m.shown, "boots");
  m.up = true;
  ++m.life;
  if (m.boot)
    on(where, m.boot);
  for (uint32_t i = 0; i < machines_.size(); ++i)
    if (i != where.index && machines_[i].up && on_reconnect_)
      on_reconnect_(where, {i});
}

void simulation::pause_a_host() {
  const host where{static_cast<uint32_t>(dice_.below(machines_.size()))};
  auto& m = machines_[where.index];
  m.stands_until = now() + dice_.between(10ms, 5s);
  stall_ends_ = std::max(stall_ends_, m.stands_until);
  after(m.stands_until - now(), [] {}); // something to wait for
  log(trace::kind::fault, m.shown, "stands still");
}

void simulation::cut_a_link() {
  if (machines_.size() < 2)
    return; // there is none
  const auto a = static_cast<uint32_t>(dice_.below(machines_.size()));
  const auto b = static_cast<uint32_t>((a + 1 + dice_.below(machines_.size() - 1)) % machines_.size());
  if (line_between({a}, {b}).way.is_cut(now()))
    return;
  const auto time = dice_.chance(0.75) ? dice_.between(1ms, connection_patience - 1ms) : dice_.between(3s, 10s);
  log(trace::kind::fault, machines_[a].shown, fmt::format("is cut off from {}", machines_[b].name));
  line_between({a}, {b}).way.cut(now(), time);
  line_between({b}, {a}).way.cut(now(), time);
  if (time < connection_patience)
    return;
  lose_connection({a}, {b}, connection_patience);
  after(time, [this, a, b] {
    if (on_reconnect_ && !line_between({a}, {b}).way.is_cut(now()))
      on_reconnect_({a}, {b});
  });
}

} // namespace troupe::testing
