#include "actors/lock_service.hpp"

#include <caf/actor_clock.hpp>

#include <fmt/format.h>

#include "actors/fault_places.hpp"
#include "actors/stream_failure.hpp"
#include "messages/canary.hpp"

namespace troupe {
namespace {

constexpr size_t most_early = 256; // (R13); their clients say it again

} // namespace

lock_service::lock_service(interface::pointer self, life now, const config& c)
  : self_(self), now_(std::move(now)), config_(c), files_(config_.files, fail_with_stream(now_, config_.role)) {
  // nop
}

lock_service_actor::behavior_type lock_service::make_behavior() {
  open();
  return {
    [this](const acquire_lock& a) {
      auto handle = [this, a] { admit(a, &lock_core::on_acquire); };
      if (!struck(self_, now_, TROUPE_FAULT(places::lock_service_on_acquire, config_.role, now_.number(), 0), handle))
        handle();
    },
    [this](const renew_lock& r) { admit(r, &lock_core::on_renew); },
    [this](const release_lock& r) { admit(r, &lock_core::on_release); },
  };
}

// -- the journal ------------------------------------------------------------------------------------------------------

void lock_service::open() {
  opening_ = true;
  files_.enqueue([this, now = now_, journal = config_.journal] {
    now.post([this, before = journal->open()] { ready_or_not(before); });
  });
}

void lock_service::ready_or_not(const expected<lock_state>& before) {
  opening_ = false;
  if (before)
    core_.emplace(config_.core, *before, now());
  auto waiting = std::exchange(early_, {});
  for (auto& each : waiting)
    each(before ? expected<void>{} : tl::unexpected(before.error()));
  if (core_)
    set_alarm();
}

void lock_service::perform(const lock_core::record& a) {
  files_.enqueue([this, now = now_, journal = config_.journal, what = a.what] {
    now.post(
      [this, what, outcome = journal->append(what)] { perform(core_->on_recorded(what, outcome, this->now())); });
  });
}

// -- clients ----------------------------------------------------------------------------------------------------------

template <class Message>
void lock_service::admit(const Message& m, lock_core::actions (lock_core::*handle)(const Message&, time_point)) {
  auto from = caf::actor_cast<caf::strong_actor_ptr>(self_->current_sender());
  if (!from)
    return;
  auto go = [this, m, handle, from](const expected<void>& opened) {
    clients_[m.who] = from;
    if (opened)
      perform(((*core_).*handle)(m, now()));
    else
      perform(lock_core::tell{
        m.who, lock_refused{m.name, m.request, fmt::format("{} is not granted: {}", m.name, opened.error().sentence)}});
    if (planted(canary::lock_freed_at_death) && core_ && core_->knows(m.who))
      troupe::monitor(self_, caf::actor_cast<caf::actor>(from), now_.guard([this, m](const caf::error&) {
        perform(core_->on_release({m.who, m.request, m.name}, now()));
      }));
  };
  if (core_)
    return go({});
  if (early_.size() < most_early)
    early_.push_back(std::move(go));
  if (!opening_)
    open();
}

void lock_service::perform(const lock_core::actions& actions) {
  auto before = core_->dropped();
  for (auto& a : actions)
    std::visit([this](auto& x) { perform(x); }, a);
  forget_strangers();
  set_alarm();
  if (config_.on_dropped && core_->dropped() != before)
    config_.on_dropped(core_->dropped() - before);
}

void lock_service::perform(const lock_core::tell& a) {
  if (auto to = clients_.find(a.who); to != clients_.end())
    std::visit([&](auto& what) { troupe::anon_send(caf::actor_cast<caf::actor>(to->second), what); }, a.what);
}

/// A handle keeps its actor alive.
void lock_service::forget_strangers() {
  std::erase_if(clients_, [this](auto& c) { return !core_->knows(c.first); });
}

void lock_service::set_alarm() {
  auto next = core_->next();
  if (next == alarm_at_)
    return;
  alarm_.dispose();
  alarm_at_ = next;
  if (next)
    alarm_ = run_after(self_, std::max(*next - now(), time_point::duration{0}), now_.guard([this] {
      alarm_at_.reset();
      perform(core_->on_time(now()));
    }));
}

} // namespace troupe
