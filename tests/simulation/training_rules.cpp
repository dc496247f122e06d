#include "tests/simulation/training_rules.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace troupe::testing {

namespace {

template <class Message>
const Message* as(const handling& h, const char* role) {
  return h.who.starts_with(role) && h.what.match_elements<Message>() ? &h.what.get_as<Message>(0) : nullptr;
}

bool is_finite(const payload& values) {
  return values.type() != dtype::f32 || // what is compressed was
         std::ranges::all_of(values.as_floats(), [](float x) { return std::isfinite(x); });
}

} // namespace

void training_rules::handles(const handling& h) {
  settle();
  if (h.what.match_elements<view_changed>())
    check(h.what.get_as<view_changed>(0));
  if (const auto* p = as<parameters>(h, "agent"))
    check(*p);
  else if (const auto* done = as<micro_batches_done>(h, "coordinator"))
    for (const auto& r : done->results)
      reported_[done->at.value].insert(r.index);
  else if (const auto* c = as<commit_step>(h, "shard_holder"))
    check(*c);
  else if (const auto* summed = as<commit_step>(h, "ring_peer"))
    check(*summed);
  else if (const auto* mixed = as<commit_step>(h, "gossip_peer"))
    check(*mixed);
  else if (const auto* push = as<push_gradients>(h, "shard_holder"))
    check(h, *push);
  else if (const auto* v = as<view_changed>(h, "shard_holder")) {
    auto& knows = holders_[h.who];
    if (knows.view.number < v->number) {
      if (knows.view.rewound < v->rewound)
        knows.accepted.clear();
      knows.view = *v;
    }
  } else if (h.what.match_elements<load_shard>()) {
    holders_[h.who].accepted.clear();
  }
}

/// One view of each number, one owner of each role in it, and none that an earlier view had replaced.
void training_rules::check(const view_changed& v) {
  const auto [known, is_new] = views_.try_emplace(v.number, v);
  if (!is_new && (known->second.members != v.members || known->second.rewound != v.rewound))
    return world_.violated(fmt::format("I2: there are two views of number {}", v.number.value));
  if (!is_new)
    return;
  std::map<role_id, incarnation> owners;
  for (const auto& m : v.members)
    if (!owners.emplace(m.role, m.incarnation).second)
      return world_.violated(fmt::format("I2: view {} has two of {}", v.number.value, to_string(m.role)));
  const auto not_before = [&](const view_changed& earlier, const view_changed& later) {
    for (const auto& a : earlier.members)
      for (const auto& b : later.members)
        if (a.role == b.role && b.incarnation < a.incarnation)
          world_.violated(fmt::format("I15: view {} has {} #{}, and view {} had #{}", later.number.value,
                                      to_string(b.role), b.incarnation.value, earlier.number.value,
                                      a.incarnation.value));
  };
  if (known != views_.begin())
    not_before(std::prev(known)->second, v);
  if (const auto next = std::next(known); next != views_.end())
    not_before(v, next->second);
}

void training_rules::check(const parameters& p) {
  if (!is_finite(p.values))
    world_.violated(
      fmt::format("I11: version {} of shard {} is not finite", p.applied.version().value, p.from.role.index));
}

void training_rules::check(const commit_step& c) {
  const auto at = c.at.value;
  if (const auto wanted = learn::micro_batches_of_step(config_.sizes, at); reported_[at].size() < wanted)
    world_.violated(fmt::format("R4: step {} commits after the results of {} of its {} micro-batches", at,
                                reported_[at].size(), wanted));
}

void training_rules::check(const handling& h, const push_gradients& p) {
  if (!is_finite(p.gradient))
    holders_[h.who].doubtful.insert({p.at, p.block});
  if (config_.holders_live)
    last_ = handed{h.where, h.who, p, config_.dropped(h.where)};
}

/// A contribution of somebody who is not in the holder's view, and one that it has, change nothing: it counts them.
void training_rules::settle() {
  const auto last = std::exchange(last_, std::nullopt);
  if (!last || config_.dropped(last->where) > last->dropped_before)
    return;
  const auto& p = last->what;
  auto& knows = holders_[last->to];
  const auto& members = knows.view.members;
  if (std::ranges::find(members, member{p.from.role, p.from.incarnation}) == members.end())
    world_.violated(fmt::format("I15: {} accepts what {} #{} contributed to step {}, who is not in its view", last->to,
                                to_string(p.from.role), p.from.incarnation.value, p.at.value));
  else if (!knows.accepted.insert({p.at, p.block, p.node}).second && !knows.doubtful.contains({p.at, p.block}))
    world_.violated(fmt::format("I13: {} was handed a contribution to step {} twice, and counts no drop", last->to,
                                p.at.value)); // what is doubtful may be rejected, and come again
}

} // namespace troupe::testing
