// What a supervisor does about ends: those of its children, and its own.

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "messages/canary.hpp"
#include "supervision/backoff.hpp"
#include "supervision/turn.hpp"

namespace troupe {

using phase = supervisor_state::phase;

namespace {

bool needs_restart(restart_type type, const exit_cause& cause) { // S3
  return type == permanent || (type == transient && !cause.is_clean());
}

/// The child's end as a link of a cause chain.
exit_cause link(const child_record& c, const exit_cause& cause) {
  exit_cause result{cause.kind, {fmt::format("{} #{} ended ({})", c.id, c.number.value, to_string(cause.kind))}};
  result.chain.insert(result.chain.end(), cause.chain.begin(), cause.chain.end());
  return result;
}

} // namespace

// -- ends -----------------------------------------------------------------------------------------

void turn::ended(child_record& c, const exit_cause& cause) {
  disarm(c);
  c.state_lost = false;
  auto before = c.state;
  s_.children.set_state(c, child_state::stopped);
  if (s_.stopping_now == c.position)
    s_.stopping_now.reset();
  if (s_.starting_now == c.position)
    s_.starting_now.reset();
  if (cause.kind == exit_kind::stuck) { // only the end of the process helps, so each level passes it on (S6)
    s_.to_stop.erase(c.position);       // a bystander that was to be stopped has ended before its turn
    refuse_start(c, call_error::stopping, "the supervisor is ending");
    escalate(c, cause, exit_kind::stuck, fmt::format("supervisor {} cannot stop one of its children", s_.spec.name));
    settle(c);
  } else if (before == child_state::stopping) {
    stopped(c, cause);
  } else if (absorbed(c, cause)) {
    settle(c);
  } else if (before == child_state::starting) {
    failed_to_start(c, cause);
  } else {
    died(c, cause);
  }
}

/// It ended after the supervisor had asked it to.
void turn::stopped(child_record& c, exit_cause cause) {
  bool killed = std::exchange(c.killed, false) && c.spec->shutdown_time() != nanoseconds{0};
  if (std::exchange(c.overdue, false)) {
    failed_to_start(c,
                    {exit_kind::error, {fmt::format("it was not ready within {}", to_string(c.spec->start_time()))}});
    return;
  }
  if (killed && cause.kind == exit_kind::kill && cause.chain.empty())
    cause.chain = {
      fmt::format("it did not end within {} of being asked and was killed", to_string(c.spec->shutdown_time()))};
  bool brutal = c.spec->shutdown_time() == nanoseconds{0} && cause.kind == exit_kind::kill;
  if (!cause.is_clean() && !brutal)
    report(c, cause, decision::absorb);
  settle(c);
}

/// It ended by itself while it was to be stopped anyway: as a bystander (S2), or because the supervisor ends (S4).
bool turn::absorbed(child_record& c, const exit_cause& cause) {
  if (s_.now_in != phase::finishing && s_.to_stop.erase(c.position) == 0)
    return false;
  s_.to_stop.erase(c.position);
  if (!cause.is_clean())
    report(c, cause, decision::absorb);
  return true;
}

void turn::failed_to_start(child_record& c, const exit_cause& cause) {
  if (c.start_call != 0) { // S8: the caller decides
    bool added = c.being_added;
    report(c, cause, added ? decision::drop : decision::leave);
    refuse_start(c, call_error::start_failed, to_string(cause));
    added ? forget(c) : settle(c);
  } else if (s_.now_in == phase::starting && !c.was_ready) { // S1
    escalate(c, cause, exit_kind::escalated,
             fmt::format("supervisor {} could not start its child {}", s_.spec.name, c.id));
  } else if (granted(c, cause, decision::retry)) { // S5
    restart(c, true);
  }
}

void turn::died(child_record& c, const exit_cause& cause) {
  if (needs_restart(c.spec->restart, cause)) {
    if (now_ - c.ready_at >= s_.spec.backoff.quiet) // T1
      c.restarts = 0;
    if (granted(c, cause, decision::restart))
      restart(c, false);
    return;
  }
  bool ends = ends_supervisor(c);
  if (!cause.is_clean())
    report(c, cause, ends ? decision::end_supervisor : decision::drop);
  if (ends)
    end_with(c, cause);
  settle(c);
}

/// Whether the end of `c`, which the supervisor neither caused nor makes good by a restart, is to end it (S7).
bool turn::ends_supervisor(const child_record& c) const {
  if (!c.spec->significant)
    return false;
  const auto& all = s_.children.all();
  return s_.spec.on_significant == any_significant || std::none_of(all.begin(), all.end(), [](const auto& entry) {
           return entry.second.spec->significant && entry.second.state != child_state::stopped;
         });
}

void turn::end_with(const child_record& c, const exit_cause& cause) {
  auto why = link(c, cause);
  why.kind = exit_kind::shutdown;
  if (s_.now_in == phase::starting) { // ready comes first: the start did succeed
    s_.significant_ended = true;
    s_.cause = std::move(why);
  } else {
    finish_with(std::move(why));
  }
}

// -- restarts -------------------------------------------------------------------------------------

/// A restart in place concerns nobody else. Where it would have to, in a group, and where the child is not to be
/// restarted, its actor ends and all goes on as after any end.
void turn::on(const event::state_failed& e) {
  auto* c = s_.children.find(e.id);
  if (c && c->number == e.number && c->state_lost) // it reminds, during a back-off
    return;
  if (!c || c->number != e.number || !c->is_live()) {
    ++s_.late_notices;
    if (c && e.number < c->number && c->state == child_state::running && !c->state_lost)
      out_.push_back(action::replace_again{c->id, c->number});
    return;
  }
  if (c->state == child_state::stopping || s_.now_in == phase::finishing)
    return; // its end is under way
  if (is_group() || c->state != child_state::running || !needs_restart(c->spec->restart, e.cause)) {
    out_.push_back(action::end_failed{c->id, c->number, e.cause});
    return;
  }
  if (now_ - c->ready_at >= s_.spec.backoff.quiet) // T1
    c->restarts = 0;
  if (!granted(*c, e.cause, decision::replace))
    return;
  auto delay = backoff_delay(s_.spec, c->id, c->number, c->restarts++);
  c->state_lost = true;
  if (delay > nanoseconds{0})
    arm(*c, delay);
  else
    replace(*c);
}

void turn::replace(child_record& c) {
  auto before = c.number;
  c.number = c.number.next();
  c.state_lost = false;
  c.ready_at = now_;
  out_.push_back(action::replace_state{c.id, before, c.number});
}

/// Notes one restart (S4); where it is one too many, the supervisor gives up instead.
bool turn::granted(child_record& c, const exit_cause& cause, decision what) {
  bool counts = what == decision::restart || !planted(canary::failed_restart_not_counted);
  if (s_.spec.limit.each && !c.window)
    c.window.emplace(s_.spec.limit);
  auto& window = c.window ? *c.window : s_.window;
  if (counts && !window.grants(now_)) {
    escalate(c, cause, exit_kind::escalated,
             fmt::format("supervisor {} gave up: {} needed one restart more than the {} granted within {}",
                         s_.spec.name, c.id, s_.spec.limit.restarts, to_string(s_.spec.limit.period)));
    return false;
  }
  ++s_.restarts;
  report(c, cause, what);
  return true;
}

/// `retry`: the restart before failed, so this one goes through the mailbox (S5).
void turn::restart(child_record& c, bool retry) {
  auto delay = backoff_delay(s_.spec, c.id, c.number, c.restarts++);
  bool wait = retry || delay > nanoseconds{0};
  if (is_group()) {
    s_.children.set_state(c, child_state::restarting);
    s_.to_start.insert(c.position);
    stop_and_start_with(c);
    if (wait) {
      arm(c, delay);
      s_.gated.insert(c.position);
    }
  } else if (wait) {
    s_.children.set_state(c, child_state::restarting);
    arm(c, delay);
  } else {
    start(c);
  }
}

/// Marks the bystanders of c's restart (S2): those that live stop first, and all but temporary ones start after it.
void turn::stop_and_start_with(const child_record& c) {
  auto& all = s_.children.all();
  for (auto it = s_.spec.strategy == one_for_all ? all.begin() : all.upper_bound(c.position); it != all.end(); ++it) {
    auto& [position, other] = *it;
    if (position == c.position)
      continue;
    if (other.state == child_state::stopping) {
      other.overdue = false;
      if (other.stop_calls.empty() && other.spec->restart != temporary)
        s_.to_start.insert(position);
    } else if (other.is_live()) {
      s_.to_stop.insert(position);
      if (other.spec->restart != temporary)
        s_.to_start.insert(position);
    } else {
      if (other.state == child_state::stopped)
        s_.children.set_state(other, child_state::waiting);
      s_.to_start.insert(position);
    }
  }
}

// -- the end of the supervisor --------------------------------------------------------------------

void turn::escalate(const child_record& c, const exit_cause& cause, exit_kind kind, std::string sentence) {
  report(c, cause, decision::escalate);
  auto why = caused(kind, std::move(sentence), link(c, cause));
  if (s_.now_in == phase::finishing) // a stuck child, met while stopping for another reason: keep both
    why.chain.insert(why.chain.end(), s_.cause.chain.begin(), s_.cause.chain.end());
  finish_with(std::move(why));
}

/// Stops all children, in reverse order or, for a template's, all at once; then the supervisor ends.
void turn::finish_with(exit_cause cause) {
  s_.cause = std::move(cause);
  s_.now_in = phase::finishing;
  s_.to_start.clear();
  for (auto& [position, c] : s_.children.all()) {
    refuse_start(c, call_error::stopping, "the supervisor is ending");
    c.overdue = false;
    if (c.state == child_state::stopping)
      continue;
    if (!c.is_live()) {
      disarm(c);
      s_.children.set_state(c, child_state::stopped);
    } else if (is_simple()) {
      begin_stop(c);
    } else {
      s_.to_stop.insert(position);
    }
  }
}

void turn::report(const child_record& c, const exit_cause& cause, decision what) {
  out_.push_back(action::report{{s_.spec.name, c.id, c.number, cause, what}});
}

} // namespace troupe
