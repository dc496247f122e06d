#include "actors/broker_core.hpp"

#include <algorithm>

#include "messages/canary.hpp"

namespace troupe {
namespace {

// Steps for which leases are given out: the current one and the next, so that an agent can fetch data ahead.
constexpr uint64_t open_steps = 2;

} // namespace

bool broker_core::present(const member& who) const {
  return std::find(agents_.begin(), agents_.end(), who) != agents_.end();
}

std::vector<broker_core::part>& broker_core::plan(step at) {
  auto [i, added] = plans_.try_emplace(at);
  if (added) {
    auto total = learn::micro_batches_of_step(sizes_, at.value);
    auto workers = std::max<uint64_t>(agents_.size(), 1);
    for (uint64_t rank = 0; rank < workers; ++rank) {
      auto p = part{total * rank / workers, total * (rank + 1) / workers, std::nullopt, attempt{1}};
      if (rank < agents_.size())
        p.owner = agents_[rank];
      i->second.push_back(p);
    }
  }
  return i->second;
}

broker_core::grant broker_core::make_grant(step at, const member& to, const part& p) const {
  return {to, lease{at, p.first, p.last, learn::micro_batches_of_step(sizes_, at.value),
                    learn::samples_of_step(sizes_, at.value), p.number}};
}

std::optional<member> broker_core::stand_in(const std::vector<part>& parts, const role_id& preferred) const {
  auto load = [&](const member& m) {
    uint64_t sum = 0;
    for (auto& p : parts)
      if (p.owner == m)
        sum += p.last - p.first;
    return sum;
  };
  auto result = std::optional<member>{};
  for (auto& m : agents_) {
    if (m.role == preferred)
      return m;
    if (!result || load(m) < load(*result))
      result = m;
  }
  return result;
}

std::vector<broker_core::grant> broker_core::on_view(const view_changed& v) {
  auto grants = std::vector<grant>{};
  if (v.number <= view_) {
    ++dropped_;
    return grants;
  }
  view_ = v.number;
  if (v.rewound > rewound_) {
    rewound_ = v.rewound;
    plans_.clear();
    current_ = v.current;
  }
  if (v.current > current_) // a broker that was restarted learns where the run is
    advance({v.current.value - 1});
  agents_.clear();
  for (auto& m : v.members)
    if (m.role.kind == "agent")
      agents_.push_back(m);
  std::sort(agents_.begin(), agents_.end());
  for (auto& [at, parts] : plans_)
    for (auto& p : parts) {
      if (p.owner && (present(*p.owner) || planted(canary::lease_not_queued_again)))
        continue;
      auto heir = stand_in(parts, p.owner ? p.owner->role : role_id{});
      if (p.owner)
        p.number = p.number.next();
      p.owner = heir;
      if (heir && p.first < p.last)
        grants.push_back(make_grant(at, *heir, p));
    }
  return grants;
}

std::vector<broker_core::grant> broker_core::answer(const member& who, step at) {
  auto grants = std::vector<grant>{};
  for (auto& p : plan(at))
    if (p.owner == who)
      grants.push_back(make_grant(at, who, p));
  if (grants.empty()) // joined after the step was split up: nothing to do in it
    grants.push_back(make_grant(at, who, part{0, 0, who, attempt{1}}));
  return grants;
}

std::vector<broker_core::grant> broker_core::on_request(const request_lease& r) {
  auto who = member{r.from.role, r.from.incarnation};
  if (r.at < current_ || r.from.is_void(rewound_) || !present(who)) {
    ++dropped_;
    return {};
  }
  // Who asks for a step has the parameters of the one before it, so what lies further back has committed, whether or
  // not the coordinator's word of it arrived.
  if (r.at.value >= current_.value + open_steps)
    advance({r.at.value - open_steps});
  return answer(who, r.at);
}

void broker_core::on_committed(const step_committed& c) {
  if (c.view < rewound_)
    ++dropped_;              // of a time before the run went back
  else if (c.at >= current_) // else known already, from a request for a later step
    advance(c.at);
}

void broker_core::advance(step past) {
  current_ = past.next();
  plans_.erase(plans_.begin(), plans_.lower_bound(current_));
}

} // namespace troupe
