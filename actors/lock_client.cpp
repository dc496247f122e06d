#include "actors/lock_client.hpp"

#include <algorithm>
#include <cassert>
#include <fmt/format.h>

#include "messages/registry.hpp"

namespace troupe {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

namespace {

// How many round times pass before something is said again.
constexpr int round_times = 4;
constexpr nanoseconds least_pause = 20ms;
// How much longer than the service a client waits for its word.
constexpr nanoseconds grace = 2s;

int64_t stamp(time_point t) {
  return t.time_since_epoch().count();
}

} // namespace

// -- what the actor wants ---------------------------------------------------------------------------------------------

void lock_client::acquire(wish w, outcome done, std::function<void()> lost) {
  auto known = entries_.find(w.name);
  assert(known == entries_.end() || known->second.at == stage::releasing);
  if (known != entries_.end())
    entries_.erase(known); // a newer request says that the one before is over
  auto name = w.name;
  auto until = ports_.now() + w.wait + grace;
  auto& e = entries_[name];
  e.what = std::move(w);
  e.request = next_++;
  e.until = until;
  e.done = std::move(done);
  e.lost = std::move(lost);
  e.pause = patience(e);
  if (!say(e)) {
    auto told = std::move(e.done);
    entries_.erase(name);
    told(
      fail(fmt::format("{} is not granted: there is no lock service here; put one into the supervision tree", name)));
    return;
  }
  again(e);
}

void lock_client::release(const std::string& name) {
  if (auto at = entries_.find(name); at != entries_.end() && at->second.at != stage::releasing)
    let_go(at);
}

void lock_client::let_go(entries::iterator at) {
  auto& e = at->second;
  e.at = stage::releasing;
  e.until = ports_.now() + e.what.lease; // by then it is over in any case
  e.pause = patience(e);
  e.done = {};
  e.lost = {};
  say(e);
  again(e);
}

std::optional<fencing_token> lock_client::holds(const std::string& name) const {
  auto at = entries_.find(name);
  if (at == entries_.end() || at->second.at != stage::held || at->second.until <= ports_.now())
    return std::nullopt;
  return at->second.token;
}

// -- what the service answers -----------------------------------------------------------------------------------------

lock_client::entry* lock_client::find(const std::string& name, uint64_t request) {
  auto at = entries_.find(name);
  return at == entries_.end() || at->second.request != request ? nullptr : &at->second;
}

void lock_client::on(const lock_granted& g) {
  auto* e = find(g.name, g.request);
  if (e == nullptr) { // an old wish: nobody wants it any more
    ports_.tell(caf::make_message(release_lock{self_, g.request, g.name}));
    return;
  }
  auto asked = time_point{time_point::duration{g.asked_at}};
  auto now = ports_.now();
  if (e->at == stage::releasing || asked > now)
    return;
  if (e->at == stage::held || e->what.wait == 0ms) {
    auto took = now - asked;
    round_time_ = round_time_ ? (*round_time_ * 7 + took) / 8 : took;
  }
  if (e->at == stage::asking) {
    e->token = g.token;
    if (asked + e->what.lease <= now) { // asked for long ago: it is held once it is renewed
      e->asked = asked;
      say(*e);
      return;
    }
    e->at = stage::held;
    e->asked = asked;
    e->until = asked + e->what.lease;
    e->pause = patience(*e);
    again(*e);
    if (auto done = std::exchange(e->done, {}))
      done(g.token);
    return;
  }
  e->asked = std::max(e->asked, asked);
  e->until = std::max(e->until, asked + e->what.lease);
  e->pause = patience(*e);
}

void lock_client::on(const lock_refused& r) {
  auto* e = find(r.name, r.request);
  if (e == nullptr || e->at == stage::releasing)
    return;
  auto gone = std::move(*e);
  entries_.erase(r.name);
  if (gone.at == stage::held && gone.lost)
    gone.lost();
  else if (gone.at == stage::asking && gone.done)
    gone.done(fail(r.why));
}

void lock_client::on(const lock_released& r) {
  if (auto* e = find(r.name, r.request); e != nullptr && e->at == stage::releasing)
    entries_.erase(r.name);
}

// -- time -------------------------------------------------------------------------------------------------------------

nanoseconds lock_client::patience(const entry& e) const {
  nanoseconds most = e.what.lease / 3;
  auto measured = round_time_ ? *round_time_ * round_times : most / 4;
  return std::min(most, std::max(measured, least_pause));
}

/// Says what is due for this stage.
bool lock_client::say(entry& e) {
  auto now = ports_.now();
  e.repeated = now;
  auto& w = e.what;
  if (e.at == stage::releasing)
    return ports_.tell(caf::make_message(release_lock{self_, e.request, w.name}));
  if (e.token.value != 0)
    return ports_.tell(caf::make_message(renew_lock{self_, e.request, w.name, e.token, stamp(now)}));
  return ports_.tell(caf::make_message(acquire_lock{self_, e.request, w.name, static_cast<uint64_t>(w.lease.count()),
                                                    static_cast<uint64_t>(w.wait.count()), stamp(now)}));
}

/// Looks again when the next thing may be due.
void lock_client::again(entry& e) {
  auto now = ports_.now();
  auto due = e.repeated + e.pause;
  if (e.at == stage::held)
    due = std::max(due, e.asked + e.what.lease / 3);
  due = std::min(due, e.until);
  ports_.after(std::max<nanoseconds>(due - now, 1ms),
               [this, alive = std::weak_ptr{alive_}, name = e.what.name, request = e.request, alarm = ++e.alarm] {
                 if (!alive.expired())
                   tick(name, request, alarm);
               });
}

void lock_client::tick(const std::string& name, uint64_t request, uint64_t alarm) {
  auto* e = find(name, request);
  if (e == nullptr || e->alarm != alarm)
    return;
  auto now = ports_.now();
  if (now >= e->until) {
    if (e->at == stage::asking) {
      auto done = std::move(e->done);
      let_go(entries_.find(name));
      if (done)
        done(fail(fmt::format("{} is not granted: the lock service has not answered within {} ms", name,
                              std::chrono::duration_cast<std::chrono::milliseconds>(e->what.wait + grace).count())));
      return;
    }
    auto lost = e->at == stage::held ? std::move(e->lost) : nullptr;
    entries_.erase(name);
    if (lost)
      lost();
    return;
  }
  auto renewal_due = e->at != stage::held || now >= e->asked + e->what.lease / 3;
  if (renewal_due && now >= e->repeated + e->pause) {
    say(*e);
    nanoseconds most = e->what.lease / 3;
    e->pause = std::min(most, e->pause * 2); // a slow peer is not helped by repetition
  }
  again(*e);
}

} // namespace troupe
