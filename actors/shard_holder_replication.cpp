// What a shard holder does for its replica.

#include <algorithm>
#include <cstring>

#include "actors/shard_holder.hpp"

namespace troupe {

// Where that is may have become known after the view that told of it: what was sent before is lost.
void shard_holder::bound(const member& who) {
  auto& agents = core_.agents();
  if (std::binary_search(agents.begin(), agents.end(), who))
    publish(who);
  if (feed_.replica() != who)
    return;
  auto shown = shown_version();
  if (feed_.on_bound(who))
    send_state_soon();
  else
    feed_again();
  publish_news(shown);
}

void shard_holder::feed_again() {
  for (auto& u : feed_.open())
    to_replica(u);
  for (auto at : std::set{withheld_})
    replicate_sums_of(at);
}

void shard_holder::follow(const follow_shard& f) {
  if (!core_.loaded() || f.from.is_void(core_.rewound()))
    return; // it asks again
  auto shown = shown_version();
  auto before = feed_.replicated() && feed_.replica() == member{f.from.role, f.from.incarnation};
  auto answer = feed_.on_follow(f, core_.version(), core_.rewound());
  publish_news(shown);
  report_withheld();
  report_replica(before);
  for (auto& u : answer.updates)
    to_replica(u);
  if (answer.everything)
    send_state_soon();
}

void shard_holder::send_state_soon() {
  replica_waits_ = true;
  if (!core_.applying())
    send_state();
}

// As of a version, with the work on the stream: the state is written in place.
void shard_holder::send_state() {
  replica_waits_ = false;
  auto what = shard_state{core_.from(), core_.rewound(), core_.applied(), memory_.values(), {}};
  for (auto& from : memory_.state()) {
    what.state.push_back(payload::floats(from.elements()));
    stream_.enqueue(
      [from, to = what.state.back()]() mutable { std::memcpy(to.mutable_data(), from.data(), from.bytes()); });
  }
  auto shown = shown_version();
  feed_.on_state(core_.version());
  publish_news(shown);
  stream_.on_complete([this, now = now_, what] { now.post([this, what] { to_replica(what); }); });
}

// The state is written in place where it arrives, so it is not lent.
void shard_holder::to_replica(const shard_state& what) {
  if (auto& to = feed_.replica())
    if (auto handle = config_.job->roles->find_as<shard_replica_actor>(to->role))
      troupe::anon_send(handle, what);
}

void shard_holder::replicate_sums_of(step at) {
  auto what = replicate_sums{core_.from(), core_.rewound(), at, {}, {}};
  for (auto i = sums_.lower_bound({at, {}, {}}); i != sums_.end() && std::get<step>(i->first) == at; ++i) {
    what.blocks.push_back(std::get<block_id>(i->first));
    what.sums.push_back(i->second);
  }
  to_replica(std::move(what));
}

void shard_holder::to_replica(replicate_sums what) {
  lend_to_replica(std::move(what));
}

void shard_holder::to_replica(replicate_update what) {
  lend_to_replica(std::move(what));
}

template <class Message>
void shard_holder::lend_to_replica(Message what) {
  auto& to = feed_.replica();
  if (!to)
    return;
  if (auto there = config_.job->roles->locate<shard_replica_actor>(to->role); there.handle) {
    for (auto& sum : what.sums) {
      config_.job->sent_bytes += sum.bytes();
      sum = sum.for_reader(there.process);
    }
    troupe::anon_send(there.handle, std::move(what));
  }
}

void shard_holder::report_replica(bool before) {
  if (!feed_.replicated() || before)
    return;
  if (auto coordinator = config_.job->roles->find_as<coordinator_actor>({"coordinator", 0}))
    troupe::anon_send(coordinator, shard_replicated{core_.from(), *feed_.replica()});
}

void shard_holder::hand_over() {
  if (!leaving_ || core_.applying() || !feed_.in_step(core_.version()))
    return;
  memory_.forget();
  self_->quit();
}

} // namespace troupe
