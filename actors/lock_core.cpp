#include "actors/lock_core.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "messages/canary.hpp"

namespace troupe {
namespace {

using std::chrono::milliseconds;

constexpr size_t longest_name = 512;
// Requests that are remembered as done with, so that a late copy of one does not take the lock once more. One that is
// forgotten costs a lease in vain, no more: its client lets go of what it did not ask for.
constexpr size_t remembered = 4096;
constexpr auto longest_wait = milliseconds{24 * 3600 * 1000};

milliseconds wait_of(const acquire_lock& a) {
  return std::min(longest_wait, milliseconds{static_cast<int64_t>(std::min<uint64_t>(a.wait_ms, 1ull << 40))});
}

} // namespace

lock_core::lock_core(config c, const lock_state& before, time_point now) : config_(c), last_(before.last) {
  if (planted(canary::token_reused_after_restart))
    last_ = {};
  for (auto& [name, r] : before.held)
    locks_[name].held = holder{r, 0, now + r.lease, true, false};
}

std::optional<std::string> lock_core::refusal(const acquire_lock& a) const {
  auto& kind = a.who.role.kind;
  if (kind.empty() || kind.find_first_of(" \t\n") != std::string::npos)
    return fmt::format("\"{}\" is no name of a role: use one word", kind);
  if (a.name.empty() || a.name.size() > longest_name)
    return fmt::format("the name of a lock has 1 to {} bytes, and this one {}", longest_name, a.name.size());
  if (a.lease_ms == 0 || a.lease_ms > static_cast<uint64_t>(config_.longest_lease.count()))
    return fmt::format("the lease of {} would be {} ms: ask for 1 to {} ms and renew it", a.name, a.lease_ms,
                       config_.longest_lease.count());
  auto at = locks_.find(a.name);
  if (at == locks_.end() && locks_.size() >= config_.most_locks)
    return fmt::format("{} is not granted: {} locks are in use, and there are no more", a.name, locks_.size());
  if (at != locks_.end() && at->second.queue.size() >= config_.most_waiters)
    return fmt::format("{} is not granted: {} wait for it already", a.name, at->second.queue.size());
  return {};
}

// -- what clients say -------------------------------------------------------------------------------------------------

lock_core::actions lock_core::on_acquire(const acquire_lock& a, time_point now) {
  auto out = actions{};
  expire(now, out);
  if (is_over(a.who, a.name, a.request)) {
    ++dropped_;
    out.emplace_back(tell{a.who, lock_refused{a.name, a.request, fmt::format("this request for {} is over", a.name)}});
    return out;
  }
  auto at = locks_.find(a.name);
  if (at != locks_.end()) {
    auto& [held, queue] = at->second;
    if (held && held->what.who == a.who && held->what.request == a.request) { // said again
      held->asked_at = a.asked_at;
      if (!held->recorded)
        return out;
      held->until = now + held->what.lease;
      out.emplace_back(tell{a.who, lock_granted{a.name, a.request, held->what.token,
                                                static_cast<uint64_t>(held->what.lease.count()), a.asked_at}});
      return out;
    }
    auto mine = std::find_if(queue.begin(), queue.end(), [&](auto& w) { return w.what.who == a.who; });
    if (mine != queue.end() && mine->what.request >= a.request) {
      mine->what.asked_at = mine->what.request == a.request ? a.asked_at : mine->what.asked_at;
      return out;
    }
    if (mine != queue.end())
      queue.erase(mine); // it has given up the earlier one
    if (held && held->what.who == a.who && held->what.request < a.request) {
      // Its word of the release was lost.
      note_over(a.who, a.name, held->what.request);
      if (held->recorded)
        free(at, now, out);
      else
        held->unwanted = true;
      at = locks_.find(a.name);
    }
  }
  if (auto why = refusal(a)) {
    out.emplace_back(tell{a.who, lock_refused{a.name, a.request, *why}});
    return out;
  }
  if (at == locks_.end())
    at = locks_.try_emplace(a.name).first;
  if (!at->second.held && at->second.queue.empty()) {
    grant(at, a, now, out);
  } else if (a.wait_ms == 0) {
    note_over(a.who, a.name, a.request);
    out.emplace_back(tell{a.who, lock_refused{a.name, a.request, fmt::format("{} is held by another", a.name)}});
  } else {
    at->second.queue.push_back({a, now + wait_of(a)});
  }
  return out;
}

lock_core::actions lock_core::on_renew(const renew_lock& r, time_point now) {
  auto out = actions{};
  expire(now, out);
  auto at = locks_.find(r.name);
  auto holds = at != locks_.end() && at->second.held && at->second.held->recorded &&
               at->second.held->what.token == r.token && at->second.held->what.who == r.who;
  if (!holds) {
    out.emplace_back(tell{r.who, lock_refused{r.name, r.request, fmt::format("the lease of {} has run out", r.name)}});
    return out;
  }
  auto& held = *at->second.held;
  held.until = now + held.what.lease;
  out.emplace_back(
    tell{r.who, lock_granted{r.name, r.request, r.token, static_cast<uint64_t>(held.what.lease.count()), r.asked_at}});
  return out;
}

lock_core::actions lock_core::on_release(const release_lock& r, time_point now) {
  auto out = actions{};
  expire(now, out);
  note_over(r.who, r.name, r.request);
  if (auto at = locks_.find(r.name); at != locks_.end()) {
    auto& [held, queue] = at->second;
    std::erase_if(queue, [&](auto& w) { return w.what.who == r.who && w.what.request <= r.request; });
    if (held && held->what.who == r.who && held->what.request <= r.request) {
      if (held->recorded)
        free(at, now, out);
      else
        held->unwanted = true;
    } else if (!held && queue.empty()) {
      locks_.erase(at);
    }
  }
  out.emplace_back(tell{r.who, lock_released{r.name, r.request}});
  return out;
}

// -- grants -----------------------------------------------------------------------------------------------------------

void lock_core::grant(locks::iterator at, const acquire_lock& to, time_point now, actions& out) {
  last_ = last_.next();
  auto what = lock_record{
    lock_record::event::granted, last_, to.name, to.who, to.request, milliseconds{static_cast<int64_t>(to.lease_ms)}};
  at->second.held = holder{what, to.asked_at, now + what.lease, false, false};
  out.emplace_back(record{std::move(what)});
}

lock_core::actions lock_core::on_recorded(const lock_record& r, const expected<void>& outcome, time_point now) {
  auto out = actions{};
  expire(now, out);
  auto at = locks_.find(r.name);
  if (r.what != lock_record::event::granted || at == locks_.end() || !at->second.held ||
      at->second.held->what.token != r.token)
    return out; // an end that is not written down only makes the next life wait it out
  auto& held = *at->second.held;
  if (!outcome) { // fails closed: nobody holds what the journal does not know
    note_over(r.who, r.name, r.request);
    if (!held.unwanted)
      out.emplace_back(
        tell{r.who,
             lock_refused{r.name, r.request, fmt::format("{} is not granted: {}", r.name, outcome.error().sentence)}});
    at->second.held.reset();
    next_in_queue(at, now, out);
    return out;
  }
  held.recorded = true;
  held.until = now + r.lease;
  if (held.unwanted)
    free(at, now, out);
  else
    out.emplace_back(
      tell{r.who, lock_granted{r.name, r.request, r.token, static_cast<uint64_t>(r.lease.count()), held.asked_at}});
  return out;
}

void lock_core::free(locks::iterator at, time_point now, actions& out) {
  auto& what = at->second.held->what;
  note_over(what.who, what.name, what.request);
  what.what = lock_record::event::released;
  out.emplace_back(record{std::move(what)});
  at->second.held.reset();
  next_in_queue(at, now, out);
}

void lock_core::next_in_queue(locks::iterator at, time_point now, actions& out) {
  auto& queue = at->second.queue;
  if (queue.empty()) {
    locks_.erase(at);
    return;
  }
  auto first = std::move(queue.front());
  queue.pop_front();
  grant(at, first.what, now, out);
}

// -- time -------------------------------------------------------------------------------------------------------------

lock_core::actions lock_core::on_time(time_point now) {
  auto out = actions{};
  expire(now, out);
  return out;
}

void lock_core::expire(time_point now, actions& out) {
  for (auto i = locks_.begin(); i != locks_.end();) {
    auto at = i++;
    auto& [held, queue] = at->second;
    std::erase_if(queue, [&](auto& w) {
      if (now < w.until)
        return false;
      note_over(w.what.who, w.what.name, w.what.request);
      out.emplace_back(tell{
        w.what.who, lock_refused{w.what.name, w.what.request,
                                 fmt::format("{} was not free within {} ms", w.what.name, wait_of(w.what).count())}});
      return true;
    });
    if (held && held->recorded && held->until <= now)
      free(at, now, out);
    else if (!held && queue.empty())
      locks_.erase(at);
  }
}

std::optional<time_point> lock_core::next() const {
  auto result = std::optional<time_point>{};
  auto consider = [&](time_point t) { result = result ? std::min(*result, t) : t; };
  for (auto& [name, l] : locks_) {
    if (l.held && l.held->recorded)
      consider(l.held->until);
    for (auto& w : l.queue)
      consider(w.until);
  }
  return result;
}

// -- who is known -----------------------------------------------------------------------------------------------------

bool lock_core::knows(const member& who) const {
  return std::any_of(locks_.begin(), locks_.end(), [&](auto& l) {
    auto& [held, queue] = l.second;
    return (held && held->what.who == who) ||
           std::any_of(queue.begin(), queue.end(), [&](auto& w) { return w.what.who == who; });
  });
}

size_t lock_core::waiting(const std::string& name) const {
  auto at = locks_.find(name);
  return at == locks_.end() ? 0 : at->second.queue.size();
}

bool lock_core::is_over(const member& who, const std::string& name, uint64_t request) const {
  auto at = over_.find({who, name});
  return at != over_.end() && request <= at->second;
}

void lock_core::note_over(const member& who, const std::string& name, uint64_t request) {
  auto [at, first] = over_.try_emplace({who, name}, request);
  at->second = std::max(at->second, request);
  if (!first)
    return;
  over_order_.push_back(at->first);
  if (over_order_.size() > remembered) {
    over_.erase(over_order_.front());
    over_order_.pop_front();
  }
}

} // namespace troupe
