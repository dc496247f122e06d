#include "actors/shard_holder.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <stdexcept>

#include "actors/fault_places.hpp"
#include "actors/stream_failure.hpp"
#include "gpu/kernels/reduce.hpp"
#include "messages/canary.hpp"

namespace troupe {
namespace {

std::vector<block_id> blocks_of(const hosted_job& job, uint32_t shard) {
  auto result = std::vector<block_id>{};
  for (auto b : job.shards.blocks(shard))
    result.push_back({b});
  return result;
}

} // namespace

shard_holder::shard_holder(interface::pointer self, life now, const config& c)
  : self_(self), now_(std::move(now)), config_(c), shard_(config_.role.index),
    core_({config_.role, now_.number()}, blocks_of(*config_.job, shard_)),
    stream_(config_.where, fail_with_stream(now_, config_.role)) {
  // nop
}

const learn::block& shard_holder::block(block_id id) const {
  return config_.job->model->layout().blocks()[id.value];
}

payload shard_holder::zeros() const {
  auto result = payload::floats(config_.job->shards.size(shard_));
  std::memset(result.mutable_data(), 0, result.bytes());
  return result;
}

shard_holder_actor::behavior_type shard_holder::make_behavior() {
  // Behind whatever a life before has left on the lane.
  stream_.on_complete([this, now = now_] { now.post([this] { restore(); }); });
  config_.job->roles->subscribe(caf::actor_cast<caf::strong_actor_ptr>(self_));
  return {
    [this](const role_bound& r) {
      if (r.role.kind == "coordinator")
        announce();
    },
    [this](const view_changed& v) {
      auto before = core_.rewound();
      auto fresh = core_.on_view(v);
      if (core_.rewound() != before)
        sums_.clear();
      for (auto& agent : fresh)
        publish(agent);
    },
    [this](const load_shard& l) { load(l); },
    [this](const push_gradients& p) {
      if (!struck(self_, now_, TROUPE_FAULT(places::holder_on_push, config_.role, now_.number(), p.at.value),
                  [this, p] { take(p); }))
        take(p);
    },
    [this](const pull_parameters& p) {
      if (core_.loaded() && (p.any || p.have < core_.version()))
        publish({p.from.role, p.from.incarnation});
      if (core_.loaded() && core_.summed())
        report_sums(); // the report or its commit may be what was lost
    },
    [this](const commit_step& c) {
      if (struck(self_, now_, TROUPE_FAULT(places::holder_before_apply, config_.role, now_.number(), c.at.value),
                 [] {}))
        return;
      auto before = core_.dropped();
      if (core_.on_commit(c))
        apply(c);
      config_.job->dropped += core_.dropped() - before;
    },
    [this](const take_snapshot& t) {
      auto promise = self_->make_response_promise<shard_snapshot>();
      snapshots_.emplace_back(t, promise);
      deliver_snapshots();
      return promise;
    },
  };
}

void shard_holder::restore() {
  restored_ = true;
  if (auto kept = config_.vault->find(shard_)) {
    core_.on_loaded(kept->version, kept->since);
    values_ = std::move(kept->values);
    state_ = std::move(kept->state);
  }
  announce();
}

void shard_holder::announce() {
  if (!restored_)
    return;
  if (core_.loaded() && core_.summed())
    report_sums();
  if (auto coordinator = config_.job->roles->find_as<coordinator_actor>({"coordinator", 0}))
    troupe::anon_send(coordinator, join{core_.self(), core_.version(), core_.loaded()});
}

void shard_holder::load(const load_shard& l) {
  auto size = config_.job->shards.size(shard_);
  auto fits = [&](const payload& p) { return p.type() == dtype::f32 && p.elements() == size; };
  if (!fits(l.values) || !std::all_of(l.state.begin(), l.state.end(), fits))
    throw std::invalid_argument(fmt::format("{} was given parameters of another size", to_string(config_.role)));
  if (!core_.on_loaded(l.version)) {
    ++config_.job->dropped;
    return;
  }
  values_ = l.values;
  state_ = l.state;
  for (auto missing = static_cast<size_t>(learn::state_buffers(config_.optimizer)); state_.size() < missing;)
    state_.push_back(zeros());
  sums_.clear();
  config_.vault->keep(shard_, {l.version, values_, state_, core_.rewound()});
  for (auto& agent : core_.agents())
    publish(agent);
}

void shard_holder::take(const push_gradients& p) {
  auto fits = p.block.value < config_.job->model->layout().blocks().size() && p.gradient.type() == dtype::f32 &&
              p.gradient.elements() == block(p.block).size;
  auto before = core_.dropped();
  auto intake = fits ? core_.on_push(p) : shard_core::intake{};
  config_.job->dropped += fits ? core_.dropped() - before : 1;
  if (planted(canary::gradient_applied_twice) && intake.verdict == partial_sums::verdict::duplicate &&
      p.at == core_.version())
    for (auto& [k, sum] : sums_)
      if (k.first == p.block) {
        auto twice = payload::floats(sum.elements());
        stream_.enqueue([sum = sum, twice, again = p.gradient]() mutable {
          gpu::kernels::sum(sum.elements(), sum.as_floats().data(), again.as_floats().data(),
                            twice.mutable_floats().data());
        });
        sum = twice;
        break;
      }
  if (intake.verdict != partial_sums::verdict::accepted)
    return;
  for (auto& gone : intake.replaced)
    sums_.erase({p.block, gone});
  sums_[{p.block, p.node}] = p.gradient;
  for (auto& m : intake.merges) {
    // Out of place: what an agent pushed stays as it is, in case it has to be pushed again.
    auto left = std::move(sums_[{p.block, m.left}]);
    auto right = std::move(sums_[{p.block, m.right}]);
    auto sum = payload::floats(left.elements());
    stream_.enqueue([left, right, sum]() mutable {
      gpu::kernels::sum(sum.elements(), left.as_floats().data(), right.as_floats().data(), sum.mutable_floats().data());
    });
    sums_.erase({p.block, m.left});
    sums_.erase({p.block, m.right});
    sums_[{p.block, m.into}] = std::move(sum);
  }
  if (intake.block_complete)
    measure(p.block);
}

void shard_holder::measure(block_id id) {
  auto& root = std::find_if(sums_.begin(), sums_.end(), [&](auto& x) { return x.first.first == id; })->second;
  stream_.enqueue([this, now = now_, id, at = core_.version(), begun = core_.rewound(), sum = root] {
    auto n = gpu::kernels::norm_and_finite(sum.elements(), sum.as_floats().data());
    now.post([this, at, begun, norm = block_norm{id, n.sum_of_squares, n.finite}] {
      if (core_.rewound() == begun && core_.on_norm(at, norm))
        report_sums();
    });
  });
}

void shard_holder::report_sums() {
  if (auto coordinator = config_.job->roles->find_as<coordinator_actor>({"coordinator", 0}))
    troupe::anon_send(coordinator, shard_summed{core_.from(), core_.version(), core_.norms()});
}

void shard_holder::apply(const commit_step& c) {
  auto next = c.skip ? values_ : payload::floats(values_.elements());
  auto at = learn::update_point{c.at.value + 1, c.learning_rate, c.scale};
  stream_.enqueue([vault = config_.vault, shard = shard_] { vault->open(shard); });
  for (auto& [k, sum] : sums_) {
    if (c.skip)
      break;
    auto& b = block(k.first);
    auto offset = config_.job->shards.offset(k.first.value);
    auto states = std::vector<float*>{};
    for (auto& s : state_)
      states.push_back(s.mutable_floats().data() + offset);
    learn::update(stream_, config_.optimizer, at, b, sum.as_floats().data(), values_.as_floats().data() + offset,
                  next.mutable_floats().data() + offset, states);
  }
  // The completion keeps everything that the update reads and writes until it is done.
  stream_.on_complete([this, now = now_, vault = config_.vault, shard = shard_, version = c.at.next(),
                       begun = core_.rewound(), next, old = values_, state = state_,
                       sums = std::make_shared<std::map<key, payload>>(std::move(sums_))] {
    vault->keep(shard, {version, next, state, begun});
    now.post([this, begun, next] {
      if (core_.rewound() != begun)
        return; // the run went back meanwhile
      values_ = next;
      core_.on_applied();
      for (auto& agent : core_.agents())
        publish(agent);
      deliver_snapshots();
    });
  });
  sums_.clear();
}

void shard_holder::publish(const member& to) {
  if (!core_.loaded())
    return;
  if (auto agent = config_.job->roles->find_as<agent_actor>(to.role))
    troupe::anon_send(agent, parameters{core_.from(), core_.version(), values_});
}

void shard_holder::deliver_snapshots() {
  for (auto i = snapshots_.begin(); i != snapshots_.end();) {
    auto& [what, promise] = *i;
    if (core_.loaded() && what.version < core_.version()) {
      promise.deliver(caf::make_error(caf::sec::runtime_error,
                                      fmt::format("{} is past step {}", to_string(config_.role), what.version.value)));
    } else if (core_.loaded() && what.version == core_.version()) {
      // Parameters are immutable; the state is updated in place, so it is copied, in order with the updates.
      auto copies = std::vector<payload>{};
      if (what.with_state)
        for (auto& s : state_) {
          copies.push_back(payload::floats(s.elements()));
          stream_.enqueue(
            [from = s, to = copies.back()]() mutable { std::memcpy(to.mutable_data(), from.data(), from.bytes()); });
        }
      stream_.on_complete([now = now_, p = promise, version = what.version, values = values_, copies] {
        now.post([p, version, values, copies]() mutable { p.deliver(shard_snapshot{version, values, copies}); });
      });
    } else {
      ++i;
      continue;
    }
    i = snapshots_.erase(i);
  }
}

} // namespace troupe
