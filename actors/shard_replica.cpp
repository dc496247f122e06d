#include "actors/shard_replica.hpp"

#include <algorithm>

#include "actors/stream_failure.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

// A replica that hears nothing for so long asks again; longer each time while it is in vain.
constexpr auto min_patience = 1000ms;
constexpr auto max_patience = 30000ms;

} // namespace

shard_replica::shard_replica(interface::pointer self, life now, const config& c)
  : self_(self), now_(std::move(now)), config_(c), core_({config_.role, now_.number()}),
    stream_(config_.where, fail_with_stream(now_, config_.role)), patience_(min_patience) {
  if (!config_.waits)
    memory_.emplace(config_.job, config_.vault, config_.role.index, config_.optimizer);
}

shard_replica_actor::behavior_type shard_replica::make_behavior() {
  if (memory_) {
    // Behind an update that a life before, or a holder, may have left on the lane.
    memory_->when_settled([this, now = now_] {
      now.post([this] {
        if (auto kept = memory_->restore())
          core_.on_restored(kept->applied, kept->since);
        for (const auto* kind : {"coordinator", "shard_holder"})
          config_.job->roles->subscribe(caf::actor_cast<caf::strong_actor_ptr>(self_), kind);
        schedule_tick();
      });
    });
  }
  return {
    [this](const role_bound& r) {
      if (r.role.kind == "coordinator" && memory_)
        perform(replica_core::announce{});
      else if (memory_)
        perform(core_.on_bound({r.role, r.incarnation}));
    },
    [this](const view_changed& v) {
      if (!memory_)
        return;
      auto before = core_.dropped();
      perform(core_.on_view(v));
      counted(before);
    },
    [this](const shard_state& s) {
      if (!memory_)
        return void(++config_.job->dropped); // meant for the one before
      auto before = core_.dropped();
      perform(core_.on_state(s));
      counted(before);
    },
    [this](const replicate_sums& s) { keep(s); },
    [this](const replicate_update& u) {
      auto whole = memory_ ? with_sums(u) : u;
      if (!memory_ || !fits(whole.blocks, whole.sums, u.what.skip))
        return void(++config_.job->dropped);
      auto before = core_.dropped();
      perform(core_.on_update(whole));
      counted(before);
    },
    [this](const hand_over_shard& h) {
      if (!config_.vault->admits(config_.role.index, h.token))
        return void(++config_.job->dropped);
      if (memory_)
        memory_->forget();
      self_->quit();
    },
  };
}

// Kept before they are acknowledged: a holder that starts here finds them.
void shard_replica::keep(const replicate_sums& s) {
  auto current = s.since == core_.rewound() && core_.loaded();
  if (!memory_ || superseded_ || !current || !fits(s.blocks, s.sums, false))
    return void(++config_.job->dropped);
  if (!core_.applied().contains(s.at) && !memory_->keep_sums(s.at, {s.since, s.blocks, s.sums})) {
    superseded_ = true;
    return self_->quit();
  }
  if (auto holder = config_.job->roles->find_as<shard_holder_actor>({"shard_holder", config_.role.index}))
    troupe::anon_send(holder, sums_replicated{core_.from(), core_.rewound(), s.at});
}

// What was sent before the commit is not sent again.
replicate_update shard_replica::with_sums(replicate_update u) const {
  if (u.what.skip || !u.blocks.empty())
    return u;
  auto kept = memory_->kept_sums(u.since);
  if (auto i = kept.find(u.what.at); i != kept.end()) {
    u.blocks = i->second.blocks;
    u.sums = i->second.values;
  }
  return u;
}

bool shard_replica::fits(const std::vector<block_id>& ids, const std::vector<payload>& sums, bool may_lack) const {
  auto blocks = config_.job->model->layout().blocks();
  auto& ours = config_.job->shards.blocks(config_.role.index);
  auto good = ids.size() == sums.size() && (may_lack || ids.size() == ours.size());
  for (size_t i = 0; good && i < ids.size(); ++i)
    good = std::binary_search(ours.begin(), ours.end(), ids[i].value) && sums[i].type() == dtype::f32 &&
           sums[i].elements() == blocks[ids[i].value].size;
  return good;
}

void shard_replica::counted(uint64_t dropped_before) {
  config_.job->dropped += core_.dropped() - dropped_before;
}

void shard_replica::schedule_tick() {
  run_after(self_, patience_, now_.guard([this] {
    auto repairs = core_.on_tick();
    patience_ = repairs.empty() ? min_patience : std::min<std::chrono::milliseconds>(patience_ * 2, max_patience);
    perform(repairs);
    schedule_tick();
  }));
}

// Where a holder has taken over what is here, there is nothing left to do.
void shard_replica::perform(const replica_core::actions& actions) {
  for (auto& a : actions)
    if (!superseded_)
      std::visit([this](auto& x) { perform(x); }, a);
}

void shard_replica::perform(const replica_core::announce&) {
  if (auto coordinator = config_.job->roles->find_as<coordinator_actor>({"coordinator", 0}))
    troupe::anon_send(coordinator, join{core_.self(), core_.version(), core_.loaded(), core_.rewound()});
}

void shard_replica::perform(const replica_core::follow& a) {
  if (auto holder = config_.job->roles->find_as<shard_holder_actor>(a.holder.role))
    troupe::anon_send(holder, follow_shard{core_.from(), a.again, core_.loaded(), core_.rewound(), core_.version()});
}

void shard_replica::perform(const replica_core::acknowledge& a) {
  auto holder = config_.job->roles->find_as<shard_holder_actor>({"shard_holder", config_.role.index});
  if (holder)
    troupe::anon_send(holder, update_replicated{core_.from(), core_.rewound(), a.version});
}

void shard_replica::perform(const replica_core::take& a) {
  superseded_ = !memory_->load(a.what.applied, a.what.since, a.what.values, a.what.state);
  if (superseded_)
    self_->quit();
}

void shard_replica::perform(const replica_core::apply& a) {
  auto& u = a.what;
  auto done = [this, now = now_, begun = core_.rewound()](const payload& next) {
    now.post([this, begun, next] {
      if (core_.rewound() != begun)
        return; // the run went back meanwhile
      memory_->adopt(next);
      perform(core_.on_applied());
    });
  };
  superseded_ = !memory_->update(stream_, u.what, u.blocks, u.sums, core_.applied(), core_.rewound(), done);
  if (superseded_)
    self_->quit();
}

} // namespace troupe
