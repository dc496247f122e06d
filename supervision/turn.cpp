// How a supervisor sees to its children one by one.

#include "supervision/turn.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "messages/canary.hpp"

namespace troupe {

using phase = supervisor_state::phase;

// -- events ---------------------------------------------------------------------------------------

void turn::on(const event::begin&) {
  if (s_.now_in != phase::idle)
    return;
  s_.now_in = phase::starting;
  for (auto& [position, child] : s_.children.all()) {
    s_.children.set_state(child, child_state::waiting);
    s_.to_start.insert(position);
  }
}

void turn::on(const event::child_ready& e) {
  auto* c = s_.children.find(e.id);
  if (!c || c->number != e.number || !c->is_live()) {
    ++s_.late_notices;
    return;
  }
  if (c->state != child_state::starting) // being stopped meanwhile, or told twice
    return;
  disarm(*c);
  s_.children.set_state(*c, child_state::running);
  c->was_ready = true;
  c->being_added = false;
  c->ready_at = now_;
  if (s_.starting_now == c->position)
    s_.starting_now.reset();
  if (c->start_call != 0)
    answer(std::exchange(c->start_call, 0), *c);
}

void turn::on(const event::child_ended& e) {
  auto* c = s_.children.find(e.id);
  bool late = c && c->number != e.number && !planted(canary::late_notice_removes_successor);
  if (!c || late || !c->is_live()) { // T2
    ++s_.late_notices;
    return;
  }
  ended(*c, e.cause);
}

void turn::on(const event::timer_fired& e) {
  auto it = s_.timers.find(e.token);
  if (it == s_.timers.end())
    return;
  auto& c = s_.children.at(it->second);
  s_.timers.erase(it);
  c.timer = 0;
  if (c.state == child_state::running && c.state_lost) {
    replace(c);
  } else if (c.state == child_state::restarting) {
    if (s_.gated.erase(c.position) == 0) // else its group's turn may have come
      start(c);
  } else if (c.state == child_state::starting) {
    begin_stop(c);
    c.overdue = true;
  } else if (c.state == child_state::stopping && !c.killed) {
    kill(c);
  } else if (c.state == child_state::stopping) {
    ended(c, {exit_kind::stuck,
              {fmt::format("{} #{} did not end within {} of being killed: a handler of it does not return", c.id,
                           c.number.value, to_string(s_.spec.kill_grace))}});
  }
}

void turn::on(const event::stop& e) {
  if (s_.now_in == phase::idle || s_.now_in == phase::starting || s_.now_in == phase::running)
    finish_with(e.cause);
}

std::vector<supervisor_action> turn::take() {
  advance();
  return std::move(out_);
}

// -- whose turn it is -----------------------------------------------------------------------------

void turn::advance() {
  if (s_.now_in == phase::idle || s_.now_in == phase::finished)
    return;
  if (!s_.stopping_now && !s_.to_stop.empty()) {
    auto last = planted(canary::group_stops_forward) ? *s_.to_stop.begin() : *s_.to_stop.rbegin();
    s_.stopping_now = last;
    begin_stop(s_.children.at(last));
  }
  if (s_.now_in == phase::finishing) {
    if (s_.children.live() == 0) {
      s_.now_in = phase::finished;
      out_.push_back(action::finish{s_.cause});
    }
    return;
  }
  if (s_.stopping_now || (is_group() && s_.children.stopping() > 0) || s_.starting_now)
    return;
  if (!s_.to_start.empty()) {
    auto first = *s_.to_start.begin();
    if (is_gated(first))
      return;
    s_.to_start.erase(s_.to_start.begin());
    s_.starting_now = first;
    start(s_.children.at(first));
  } else if (s_.now_in == phase::starting) {
    s_.now_in = phase::running;
    out_.push_back(action::ready{});
    if (s_.significant_ended) {
      finish_with(s_.cause);
      advance();
    }
  }
}

bool turn::is_gated(uint64_t position) const {
  return !s_.gated.empty() && (s_.spec.strategy == one_for_all || *s_.gated.begin() <= position);
}

// -- one child ------------------------------------------------------------------------------------

void turn::start(child_record& c) {
  c.number = c.number.next();
  s_.children.set_state(c, child_state::starting);
  if (c.spec->start_time() != unlimited)
    arm(c, c.spec->start_time());
  out_.push_back(action::start{c.id, c.number});
}

void turn::begin_stop(child_record& c) {
  disarm(c);
  c.state_lost = false;
  s_.to_stop.erase(c.position);
  s_.children.set_state(c, child_state::stopping);
  c.killed = false;
  if (c.spec->shutdown_time() == nanoseconds{0}) {
    kill(c);
    return;
  }
  out_.push_back(action::ask_stop{c.id, c.number});
  if (c.spec->shutdown_time() != unlimited)
    arm(c, c.spec->shutdown_time());
}

void turn::kill(child_record& c) {
  c.killed = true;
  out_.push_back(action::kill{c.id, c.number});
  arm(c, s_.spec.kill_grace);
}

void turn::arm(child_record& c, nanoseconds delay) {
  c.timer = s_.next_token++;
  s_.timers.emplace(c.timer, c.position);
  out_.push_back(action::set_timer{c.timer, delay});
}

void turn::disarm(child_record& c) {
  if (c.timer == 0)
    return;
  s_.timers.erase(c.timer);
  s_.gated.erase(c.position);
  out_.push_back(action::cancel_timer{std::exchange(c.timer, 0)});
}

/// A child that ended and is not restarted on its own account: gone, or on its way back with its group, or stopped.
void turn::settle(child_record& c) {
  for (auto call : std::exchange(c.stop_calls, {}))
    answer(call, c);
  if (s_.to_start.contains(c.position))
    s_.children.set_state(c, child_state::waiting);
  else if (is_dropped(c))
    forget(c);
  else
    s_.children.set_state(c, child_state::stopped);
}

void turn::forget(child_record& c) {
  disarm(c);
  if (!is_simple()) // ids of a template's children never come back
    s_.floor = std::max(s_.floor, c.number);
  s_.to_start.erase(c.position);
  s_.to_stop.erase(c.position);
  out_.push_back(action::forget{c.id});
  s_.children.erase(c.position);
}

} // namespace troupe
