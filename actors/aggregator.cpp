#include "actors/aggregator.hpp"

#include "actors/fault_places.hpp"
#include "actors/stream_failure.hpp"
#include "gpu/kernels/reduce.hpp"
#include "messages/canary.hpp"

namespace troupe {

aggregator::aggregator(interface::pointer self, life now, const config& c)
  : self_(self), now_(std::move(now)), config_(c), core_({config_.role, now_.number()}, config_.job->description.fan_in,
                                                         config_.job->pace(), config_.job->combine().bucket_size()),
    stream_(config_.where, fail_with_stream(now_, config_.role)) {
  // nop
}

aggregator_actor::behavior_type aggregator::make_behavior() {
  config_.job->roles->subscribe(caf::actor_cast<caf::strong_actor_ptr>(self_), "coordinator");
  auto counted = [this](auto&& handle) {
    auto before = core_.dropped();
    auto actions = handle();
    config_.job->dropped += core_.dropped() - before;
    perform(actions);
  };
  return {
    [this](const role_bound&) { perform(aggregator_core::announce{}); },
    [this, counted](const view_changed& v) {
      auto before = core_.rewound();
      counted([&] { return core_.on_view(v); });
      if (core_.rewound() == before)
        return;
      kept_.clear();
      sums_.clear();
    },
    [this](const push_gradients& p) {
      auto handle = [this, p] { take(p); };
      if (!struck(self_, now_, TROUPE_FAULT(places::aggregator_on_push, config_.role, now_.number(), p.at.value),
                  handle))
        handle();
    },
    [this, counted](const reject_gradients& r) { counted([&] { return core_.on_rejected(r); }); },
    [this, counted](const step_plan& p) { counted([&] { return core_.on_plan(p); }); },
    [this](const leave_run&) { self_->quit(); },
  };
}

bool aggregator::fits(const push_gradients& p) const {
  auto blocks = config_.job->model->layout().blocks();
  return p.block.value < blocks.size() && p.gradient.type() == dtype::f32 &&
         p.gradient.elements() == blocks[p.block.value].size &&
         p.micro_batches == learn::micro_batches_of_step(config_.job->sizes(), p.at.value);
}

void aggregator::take(push_gradients p) {
  if (!fits(p)) {
    ++config_.job->dropped;
    return;
  }
  if (core_.doubts(p) && !gpu::kernels::norm_and_finite(p.gradient.elements(), p.gradient.as_floats().data()).finite) {
    ++config_.job->dropped;
    return perform(aggregator_core::reject{p.at, p.block, p.from.role});
  }
  if (auto* part = core_.part_of(p.at, p.node);
      part && planted(canary::partial_aggregate_used) && now_.number() > incarnation{1})
    p.node = *part;
  auto before = core_.dropped();
  auto actions = aggregator_core::actions{};
  if (core_.on_push(p, actions))
    kept_[{p.at, p.block, p.node}] = p.gradient;
  config_.job->dropped += core_.dropped() - before;
  perform(actions);
}

void aggregator::perform(const aggregator_core::actions& actions) {
  for (auto& a : actions)
    std::visit([this](auto& x) { perform(x); }, a);
}

void aggregator::perform(const aggregator_core::announce&) {
  if (auto coordinator = config_.job->roles->find_as<coordinator_actor>({"coordinator", 0}))
    troupe::anon_send(coordinator, join{core_.self(), {}, false});
}

void aggregator::perform(const aggregator_core::ask_plan& a) {
  if (auto broker = config_.job->roles->find_as<data_broker_actor>({"data_broker", 0}))
    troupe::anon_send(broker, request_plan{core_.from(), a.at, core_.crew_since()});
}

// Out of place: what an agent pushed stays as it is, in case it has to be added up or pushed again.
void aggregator::perform(const aggregator_core::add& a) {
  for (auto& gone : a.replaced)
    sums_.erase({a.at, a.block, gone});
  sums_[{a.at, a.block, a.node}] = kept_.at({a.at, a.block, a.node});
  for (auto& m : a.merges) {
    auto left = sums_.extract({a.at, a.block, m.left}).mapped();
    auto right = sums_.extract({a.at, a.block, m.right}).mapped();
    auto sum = payload::floats(left.elements());
    stream_.enqueue([left, right, sum]() mutable {
      gpu::kernels::sum(sum.elements(), left.as_floats().data(), right.as_floats().data(), sum.mutable_floats().data());
    });
    sums_[{a.at, a.block, m.into}] = std::move(sum);
  }
}

void aggregator::perform(const aggregator_core::forward& a) {
  auto p = a.what;
  auto sum = sums_.find({p.at, p.block, p.node});
  p.gradient = sum != sums_.end() ? sum->second : kept_.at({p.at, p.block, p.node});
  // From the stream, not by way of the mailbox: the step waits for it.
  stream_.on_complete([job = config_.job, p] {
    auto to = job->holder(job->shards.shard_of(p.block.value), {});
    if (auto holder = job->roles->locate<shard_holder_actor>(to); holder.handle) {
      job->sent_bytes += p.gradient.bytes();
      auto lent = p;
      lent.gradient = p.gradient.for_reader(holder.process);
      troupe::anon_send(holder.handle, std::move(lent));
    }
  });
}

void aggregator::perform(const aggregator_core::start_over& a) {
  sums_.erase(sums_.lower_bound({a.at, {}, {}}), sums_.lower_bound({a.at.next(), {}, {}}));
}

void aggregator::perform(const aggregator_core::forget& a) {
  for (auto* parts : {&kept_, &sums_})
    parts->erase(parts->lower_bound({a.at, a.block, {}}), parts->lower_bound({a.at, {a.block.value + 1}, {}}));
}

void aggregator::perform(const aggregator_core::reject& a) {
  if (auto agent = config_.job->roles->find_as<agent_actor>(a.to))
    troupe::anon_send(agent, reject_gradients{core_.from(), a.at, a.block});
}

void aggregator::perform(const aggregator_core::release& a) {
  for (auto* parts : {&kept_, &sums_})
    parts->erase(parts->begin(), parts->lower_bound({a.before, {}, {}}));
}

} // namespace troupe
