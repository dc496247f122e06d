#include "actors/gossip_peer.hpp"

#include "learn/order.hpp"
#include "learn/schedule.hpp"

namespace troupe {

gossip_peer::gossip_peer(interface::pointer self, const life& now, const config& c)
  : model_peer(self, now, c,
               {{c.role, now.number()},
                buckets_of(c.job->model->layout()),
                static_cast<size_t>(learn::state_buffers(c.optimizer)),
                *c.job->gossip()}),
    rate_(c.job->local_steps()), sums_(core_.buckets()),
    result_(core_.buckets(), c.job->shards, c.job->model->layout()) {
  // nop
}

gossip_peer_actor::behavior_type gossip_peer::make_behavior() {
  begin();
  return {
    [this](const role_bound& r) { on(r); },
    [this](const view_changed& v) { on(v); },
    [this](const load_shard& l) { load(l.version, l.values, l.state, l.since); },
    [this](const push_gradients& p) {
      auto take = [this, p] { on(p); };
      if (!struck(self_, now_, TROUPE_FAULT(places::gossip_on_push, config_.role, now_.number(), p.at.value), take))
        take();
    },
    [this](const pull_parameters& p) { on(p); },
    [this](const commit_step& c) {
      if (struck(self_, now_, TROUPE_FAULT(places::gossip_before_apply, config_.role, now_.number(), c.at.value),
                 [] {}))
        return;
      auto before = core_.dropped();
      if (core_.on_commit(c))
        apply(c);
      counted(before);
    },
    [this](const take_snapshot& t) { return on(t); },
    [this](const step_plan& p) { on(p); },
    [this](const gossip_parameters& p) {
      auto take = [this, p] {
        auto before = core_.dropped();
        perform(core_.on_parameters(p));
        counted(before);
      };
      if (!struck(self_, now_, TROUPE_FAULT(places::gossip_on_parameters, config_.role, now_.number(), p.at.value),
                  take))
        take();
    },
    [this](const leave_run&) { leaving_ = true; },
  };
}

template <class F>
void gossip_peer::when_done(F f) {
  stream_.on_complete([this, now = now_, attempt = attempt_, f] {
    now.post([this, attempt, f] {
      if (attempt == attempt_)
        f();
    });
  });
}

void gossip_peer::perform(const gossip_core::start_over&) {
  ++attempt_;
  begun_ = false;
  sums_.clear();
  std::erase_if(pushed_, [&](auto&) { return !core_.loaded(); });
}

// The mean of all replicas moves by the mean gradient of the batch, whoever computed what of it, and in however many
// parts: each sample counts the same.
gossip_result::basis gossip_peer::basis() const {
  auto sizes = config_.job->sizes();
  auto at = core_.version().value;
  size_t own = 0;
  for (auto& part : core_.own_parts())
    for (auto i = part.first; i < part.last; ++i) {
      auto where = learn::positions(sizes, at, i);
      own += where.last - where.first;
    }
  auto all = learn::samples_of_step(sizes, at);
  return {.values = values_,
          .state = state_,
          .optimizer = config_.optimizer,
          .at = {at + 1, learn::learning_rate(rate_.schedule, rate_.optimizer.learning_rate, at),
                 static_cast<float>(core_.peers())},
          .own_share = own == 0 ? 0 : static_cast<float>(all) / static_cast<float>(own),
          .alone = core_.is_alone(),
          .with_state = core_.with_state()};
}

void gossip_peer::perform(const gossip_core::adapt& a) {
  if (!std::exchange(begun_, true))
    result_.begin(basis());
  auto own = sums_.assemble(stream_, a.bucket, parts_of(a.bucket, a.nodes)); // it comes before on the stream
  result_.adapt(stream_, a.bucket, own.values.front());
  when_done([this, bucket = a.bucket] { perform(core_.on_adapted(core_.crew_since(), bucket)); });
}

void gossip_peer::perform(const gossip_core::send& a) {
  auto to = config_.job->roles->locate<gossip_peer_actor>(a.to.role);
  if (!to.handle)
    return;
  auto p = a.what;
  result_.fill(p);
  config_.job->sent_bytes += p.values.bytes();
  p.values = p.values.for_reader(to.process);
  for (auto& each : p.state) {
    config_.job->sent_bytes += each.bytes();
    each = each.for_reader(to.process);
  }
  troupe::anon_send(to.handle, std::move(p));
}

void gossip_peer::perform(const gossip_core::mix& a) {
  result_.mix(stream_, a.bucket, core_.place(), a.with);
  when_done([this, bucket = a.bucket] { perform(core_.on_mixed(core_.crew_since(), bucket)); });
}

void gossip_peer::perform(const gossip_core::report&) {
  tell_result();
}

void gossip_peer::tell_result() {
  if (core_.loaded() && core_.summed())
    say_result(result_.norms());
}

// The result is there already; nothing that the replica was is written to.
void gossip_peer::apply(const commit_step& c) {
  if (!c.skip) {
    values_ = result_.values();
    state_ = result_.state();
  }
  if (!config_.vault->keep(config_.role.index, claim_, {{c.version.next(), {}}, values_, state_, core_.rewound()}))
    return self_->quit(); // there is a newer one
  pushed_.clear();
  auto next_step = core_.on_applied();
  if (may_leave())
    return self_->quit();
  publish();
  answer_snapshots();
  perform(next_step);
}

} // namespace troupe
