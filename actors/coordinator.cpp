#include "actors/coordinator.hpp"

#include <chrono>
#include <fmt/format.h>

#include "actors/fault_places.hpp"
#include "actors/standby_feed.hpp"
#include "actors/stream_failure.hpp"

namespace troupe {
namespace {

const role_id self_role{"coordinator", 0};

// How soon it is looked again whether this process leads.
constexpr auto lead_pause = std::chrono::milliseconds{20};

} // namespace

void ask_to_stop(run_record& record, const hosted_job& job, const std::string& why) {
  if (!why.empty())
    record.hopeless = std::make_shared<const std::string>(why);
  record.stop_asked = true;
  if (auto handle = job.roles->find_as<coordinator_actor>(self_role))
    troupe::anon_send(handle, stop_run{});
}

coordinator::coordinator(interface::pointer self, life now, const config& c)
  : self_(self), life_(std::move(now)), config_(c), record_(*config_.record), core_([&] {
      auto core = c.core;
      core.log = c.record->log;
      if (c.claim)
        core.may_commit = [this] { return may_commit(); };
      return core;
    }()),
    files_(config_.files, fail_with_stream(life_, self_role)), locks_({self_role, life_.number()}, ports_to_locks()) {
  if (config_.placer)
    mover_.emplace(config_.placer, locks_, ports_to_shards());
  if (config_.feed)
    config_.feed->hand_over(nullptr); // that a life before has begun
  if (!record_.born) {
    record_.born = this->now();
    record_.counted = {record_.start->version, {}};
  }
}

coordinator::time_point coordinator::now() {
  return self_->home_system().clock().now();
}

double coordinator::seconds_since(time_point start) {
  return std::chrono::duration<double>(now() - start).count();
}

void coordinator::note(const std::string& sentence) {
  if (config_.observer.on_note)
    config_.observer.on_note(sentence);
}

coordinator_actor::behavior_type coordinator::make_behavior() {
  auto& roles = *config_.job->roles;
  auto me = caf::actor_cast<caf::strong_actor_ptr>(self_);
  roles.subscribe(me);
  if (auto known = roles.entry(self_role); known && known->handle == me && known->incarnation < life_.number())
    roles.bind({self_role, life_.number(), me}); // whoever spoke to a life before has to join again
  schedule_tick();
  if (record_.stop_asked)
    troupe::anon_send(caf::actor_cast<coordinator_actor>(self_), stop_run{});
  return {
    [this](const join& j) {
      watch(j.who.role);
      if (has_departed(j.who.role) || collected_)
        ++config_.job->dropped; // said before it left, by whichever of its lives, or after the end
      else
        perform(core_.on_join(j));
      if (mover_ && config_.job->sharded() && j.who.role.kind == "agent" && core_.has(j.who))
        config_.placer->joined(j.who.role.index);
      if (mover_)
        mover_->look();
    },
    [this](const role_bound& r) {
      watch(r.role);
      perform(core_.on_bound({r.role, r.incarnation}));
    },
    [this](const peer_unreachable& p) {
      if (auto who = core_.member_of(p.role))
        perform(core_.on_lost(*who));
    },
    [this](const micro_batches_done& d) {
      record_.drops[d.from.role] = d.dropped;
      perform(core_.on_results(d));
    },
    [this](const shard_summed& s) {
      perform(core_.on_summed(s));
      if (!core_.has({s.from.role, s.from.incarnation}))
        ask_to_join(s.from.role); // replaced in place elsewhere, and the word of it was lost
    },
    [this](const shard_replicated& r) {
      if (!config_.placer || !core_.has({r.from.role, r.from.incarnation}) || r.from.is_void(core_.rewound()))
        return;
      config_.placer->ready(r.replica.role.index, r.replica.incarnation);
      mover_->look();
    },
    [this](const evaluation& e) { perform(core_.on_evaluation(e)); },
    [this](const stop_run&) {
      if (auto why = record_.hopeless.load())
        perform(coordinator_core::actions{coordinator_core::give_up{*why}});
      else
        perform(core_.on_stop());
    },
    [this](const lock_granted& g) { locks_.on(g); },
    [this](const lock_refused& r) { locks_.on(r); },
    [this](const lock_released& r) { locks_.on(r); },
  };
}

lock_client::ports coordinator::ports_to_locks() {
  return {[this] { return now(); },
          [this](std::chrono::nanoseconds pause, std::function<void()> f) {
            run_after(self_, pause, life_.guard([f = std::move(f)] { f(); }));
          },
          [this](caf::message what) {
            auto service = config_.job->roles->find({"lock_service", 0});
            if (service)
              enqueue_as(caf::actor_cast<caf::strong_actor_ptr>(self_), service, std::move(what));
            return service != nullptr;
          }};
}

void coordinator::schedule_tick() {
  run_after(self_, tick, life_.guard([this] {
    perform(core_.on_tick());
    if (config_.ledger && !config_.ledger->is_empty())
      write_ledger();
    ask_the_missing();
    if (mover_)
      mover_->look();
    stop_if_over();
    schedule_tick();
  }));
}

// Who ends upon this starts again where it belongs.
shard_mover::ports coordinator::ports_to_shards() {
  return {[this](const role_id& role, fencing_token token) {
            if (auto handle = config_.job->roles->find(role))
              troupe::anon_send(caf::actor_cast<caf::actor>(handle), hand_over_shard{token});
          },
          [this](const std::string& sentence) { note(sentence); }};
}

// Word of a start, or of a reconnection, may have been lost; only agents repeat it by themselves.
void coordinator::ask_the_missing() {
  for (auto& entry : config_.job->roles->entries())
    if (entry.role != self_role && entry.role.kind != "lock_service" && entry.handle &&
        !core_.has(member{entry.role, entry.incarnation}))
      ask_to_join(entry.role);
}

void coordinator::ask_to_join(const role_id& role) {
  if (auto handle = config_.job->roles->find(role))
    troupe::anon_send(caf::actor_cast<caf::actor>(handle), role_bound{self_role, life_.number()});
}

void coordinator::watch(const role_id& role) {
  auto handle = config_.job->roles->find(role);
  if (!handle || role.kind == "coordinator" || role.kind == "supervisor")
    return;
  auto& seen = watched_[role];
  if (seen == handle->address())
    return;
  seen = handle->address();
  troupe::monitor(self_, caf::actor_cast<caf::actor>(handle),
                  life_.guard([this, role, who = seen](const caf::error& reason) { lost(role, who, !reason); }));
}

bool coordinator::has_departed(const role_id& role) const {
  auto i = departed_.find(role);
  auto handle = config_.job->roles->find(role);
  return i != departed_.end() && handle && handle->address() == i->second;
}

// Which incarnations went with that actor: all, where it is still the role's latest, or those before its successor's.
void coordinator::lost(const role_id& role, const caf::actor_addr& who, bool in_order) {
  if (in_order)
    departed_[role] = who;
  auto latest = config_.job->roles->entry(role);
  auto gone = core_.member_of(role);
  if (gone && (!latest || latest->handle->address() == who || gone->incarnation < latest->incarnation))
    perform(in_order && role.kind == "agent" ? core_.on_left(*gone) : core_.on_lost(*gone));
  if (config_.placer && config_.job->sharded() && in_order && gone && role.kind == "agent" && !core_.has(*gone)) {
    config_.placer->leaves(role.index);
    mover_->look();
  }
}

void coordinator::perform(const coordinator_core::actions& actions) {
  for (auto& a : actions)
    if (!record_.done)
      std::visit([this](auto& x) { perform(x); }, a);
  feed_standby();
}

// -- who leads --------------------------------------------------------------------------------------------------------

// Without the lead it is tried again a little later.
bool coordinator::may_commit() {
  if (config_.claim->may_commit(now()))
    return true;
  if (!std::exchange(waits_for_lead_, true))
    run_after(self_, lead_pause, life_.guard([this] {
      waits_for_lead_ = false;
      stop_if_over();
      perform(core_.on_lead());
    }));
  return false;
}

void coordinator::stop_if_over() {
  if (config_.claim && config_.claim->is_over())
    perform(coordinator_core::give_up{"another process leads this job by now, since the nodes had not heard of this "
                                      "one: nothing was committed here meanwhile, and the run goes on there"});
}

// After the commits of a turn have been sent: who is asked for a snapshot has them, then.
void coordinator::feed_standby() {
  if (!config_.feed || record_.done || collected_ || !core_.running() || core_.testing() || core_.current() <= fed_ ||
      !config_.feed->take_turn(now()))
    return;
  fed_ = core_.current();
  // Like a checkpoint it is not ahead of the ledger.
  auto give = [this](model_state s) {
    files_.enqueue(
      [feed = config_.feed, ledger = config_.ledger, state = std::make_shared<const model_state>(std::move(s))] {
        auto written = ledger ? ledger->flush() : expected<void>{};
        feed->hand_over(written ? state : nullptr);
      });
  };
  collect({fed_, true, [this, version = fed_, give](snapshots s) { put_together(version, std::move(s), give); },
           [feed = config_.feed](const std::string&) { feed->hand_over(nullptr); }});
}

// -- what the core asks for -------------------------------------------------------------------------------------------

void coordinator::perform(const coordinator_core::publish& a) {
  if (!record_.began)
    record_.began = now();
  tell_event(a.what);
  auto& roles = *config_.job->roles;
  for (auto& m : a.to) {
    auto handle = roles.find(m.role);
    if (handle)
      troupe::anon_send(caf::actor_cast<caf::actor>(handle), a.what);
  }
}

// A view is published again to whoever has missed it.
void coordinator::tell_event(const view_changed& v) {
  if (!config_.observer.on_event || v.number <= told_)
    return;
  told_ = v.number;
  auto members = std::string{};
  for (auto& m : v.members)
    members += fmt::format("{}{} #{}", members.empty() ? "" : ", ", to_string(m.role), m.incarnation.value);
  config_.observer.on_event({run_event::kind::new_view, {}, v.number.value, members});
}

void coordinator::perform(const coordinator_core::commit& a) {
  auto at = a.what.at.value;
  if (struck(self_, life_, TROUPE_FAULT(places::coordinator_before_commit, self_role, life_.number(), at), [] {}))
    return;
  for (auto& role : core_.holders())
    if (auto holder = config_.job->roles->find_as<shard_holder_actor>(role))
      troupe::anon_send(holder, a.what);
}

void coordinator::perform(const coordinator_core::committed& a) {
  if (auto broker = config_.job->roles->find_as<data_broker_actor>({"data_broker", 0}))
    troupe::anon_send(broker, a.what);
}

void coordinator::perform(const coordinator_core::test& a) {
  if (!test_began_)
    test_began_ = now();
  if (auto agent = config_.job->roles->find_as<agent_actor>(a.to.role))
    troupe::anon_send(agent, a.what);
}

void coordinator::perform(const coordinator_core::account& a) {
  if (!config_.ledger)
    return;
  std::visit([this](auto& what) { config_.ledger->add(what); }, a.what);
  if (config_.ledger->is_due())
    write_ledger();
}

void coordinator::write_ledger() {
  files_.enqueue([this, now = life_, ledger = config_.ledger] {
    if (auto written = ledger->flush(); !written)
      now.post([this, why = written.error().sentence] { note(why); });
  });
}

void coordinator::perform(const coordinator_core::step_done& a) {
  if (record_.counted.contains(a.at)) // done before, and again since the run went back
    return;
  record_.counted.insert(a.at);
  auto& outcome = record_.outcome;
  outcome.samples += a.samples;
  for (auto& [updates, micro_batches] : a.staleness)
    outcome.staleness[updates] += micro_batches;
  if (!record_.first_commit) {
    record_.first_commit = now();
    outcome.seconds_to_first_step = seconds_since(*record_.born);
    record_.test_seconds = 0;
  } else {
    outcome.steady_samples += a.samples;
    outcome.training_seconds = seconds_since(*record_.first_commit) - record_.test_seconds;
  }
  if ((a.version.value + 1) % config_.log_every == 0)
    outcome.train_loss.emplace_back(a.version.value + 1, a.loss);
  if (!config_.observer.on_step)
    return;
  auto rate = outcome.training_seconds > 0 ? static_cast<double>(outcome.steady_samples) / outcome.training_seconds : 0;
  config_.observer.on_step(
    {a.version.value + 1, core_.last_step(), a.epoch, config_.core.epochs, a.loss, a.accuracy, rate, outcome.samples});
}

void coordinator::perform(const coordinator_core::epoch_done& a) {
  if (test_began_) {
    record_.test_seconds += seconds_since(*test_began_);
    test_began_.reset();
  }
  record_.outcome.test_accuracy.push_back(a.accuracy);
  if (config_.observer.on_epoch)
    config_.observer.on_epoch({a.epoch, a.accuracy, a.loss, seconds_since(*record_.began)});
}

void coordinator::perform(const coordinator_core::note& a) {
  note(a.sentence);
}

void coordinator::perform(const coordinator_core::give_up& a) {
  if (std::exchange(record_.done, true))
    return;
  config_.on_done(fail(a.sentence));
  self_->quit();
}

} // namespace troupe
