#include "actors/broker_core.hpp"

#include <algorithm>
#include <utility>

#include "actors/shares.hpp"
#include "messages/canary.hpp"

namespace troupe {
namespace {

// Speeds that differ by less than this factor count as equal.
constexpr double speed_matters = 1.25;

} // namespace

bool broker_core::present(const member& who) const {
  return std::binary_search(agents_.begin(), agents_.end(), who);
}

void broker_core::parted_step::add(part p) {
  if (p.owner)
    of[*p.owner].push_back(parts.size());
  parts.push_back(std::move(p));
}

void broker_core::parted_step::give(size_t index, const std::optional<member>& to) {
  auto& p = parts[index];
  if (p.owner)
    std::erase(of[*p.owner], index);
  p.owner = to;
  if (to)
    of[*to].push_back(index);
}

uint64_t broker_core::parted_step::load(const member& of_whom) const {
  uint64_t sum = 0;
  if (auto i = of.find(of_whom); i != of.end())
    for (auto index : i->second)
      sum += parts[index].last - parts[index].first;
  return sum;
}

broker_core::parted_step& broker_core::plan(step at) {
  auto [i, added] = plans_.try_emplace(at);
  if (added) {
    auto total = learn::micro_batches_of_step(sizes_, at.value);
    if (agents_.empty())
      i->second.add({0, total, std::nullopt, attempt{1}});
    else if (exchange_.has_shards())
      return cut_by_slots(at, i->second), i->second;
    uint64_t first = 0;
    auto each = shares_now(total);
    for (size_t rank = 0; rank < agents_.size(); ++rank) {
      i->second.add({first, first + each[rank], agents_[rank], attempt{1}});
      first += each[rank];
    }
  }
  return i->second;
}

// Those of slots whose agent is not there are spread over the others in runs, which cost the sum's tree least.
void broker_core::cut_by_slots(step at, parted_step& to) const {
  auto slots = exchange_.shards;
  auto owners = std::vector<member>(slots, agents_.front());
  auto taken = std::vector<bool>(slots);
  for (auto& m : agents_)
    if (m.role.index < slots) {
      owners[m.role.index] = m;
      taken[m.role.index] = true;
    }
  auto free = static_cast<size_t>(std::count(taken.begin(), taken.end(), false));
  for (size_t slot = 0, n = 0; slot < slots; ++slot)
    if (!taken[slot])
      owners[slot] = agents_[n++ * agents_.size() / free];
  auto bounds = learn::parts_of_slots(sizes_, slots, at.value);
  for (size_t slot = 0; slot < slots;) {
    auto end = slot + 1;
    while (end < slots && owners[end] == owners[slot])
      ++end;
    to.add({bounds[slot], bounds[end], owners[slot], attempt{1}});
    slot = end;
  }
}

std::vector<uint64_t> broker_core::shares_now(uint64_t micro_batches) const {
  auto seconds = std::vector<double>{};
  for (auto& m : agents_) {
    auto i = seconds_.find(m.role);
    seconds.push_back(i == seconds_.end() ? 0 : i->second);
  }
  return shares(micro_batches, seconds);
}

// What changes little is noise, and every change cuts the parts elsewhere.
void broker_core::notice_speed(const request_lease& r) {
  if (cut_ == parts::equal || !(r.micro_batch_seconds > 0))
    return;
  auto [i, first] = seconds_.try_emplace(r.from.role, r.micro_batch_seconds);
  auto ratio = r.micro_batch_seconds / i->second;
  if (first || ratio > speed_matters || ratio < 1 / speed_matters)
    i->second = r.micro_batch_seconds;
}

broker_core::grant broker_core::make_grant(step at, const member& to, const part& p) const {
  return {to, lease{at, p.first, p.last, learn::micro_batches_of_step(sizes_, at.value),
                    learn::samples_of_step(sizes_, at.value), p.number}};
}

std::optional<member> broker_core::stand_in(const parted_step& plan, const role_id& preferred) const {
  auto result = std::optional<member>{};
  auto least = uint64_t{0};
  for (auto& m : agents_) {
    if (m.role == preferred)
      return m;
    if (auto has = plan.load(m); !result || has < least) {
      result = m;
      least = has;
    }
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
    waiting_.clear();
    committed_ = {v.current, {}};
  }
  committed_.merge({v.current, {}}); // a broker that was restarted learns where the run is
  forget_committed();
  agents_.clear();
  crew_since_ = v.crew_since;
  auto has_peer = [&](const member& m) {
    return std::any_of(v.members.begin(), v.members.end(), [&](auto& x) {
      return x.role == role_id{peer_kind_, m.role.index};
    });
  };
  peers_.clear();
  for (auto& m : v.members)
    if (m.role.kind == peer_kind_ || m.role.kind == "aggregator")
      peers_.push_back(m);
  for (auto& m : v.members)
    if (m.role.kind == "agent" && (peer_kind_.empty() || has_peer(m)))
      agents_.push_back(m);
  std::sort(agents_.begin(), agents_.end());
  for (auto& [at, plan] : plans_) {
    auto gone = [&](auto& m) { return !present(m); };
    std::erase_if(plan.idle, [&](auto& x) { return gone(x.first); });
    std::erase_if(plan.asked, gone);
    for (size_t i = 0; i < plan.parts.size(); ++i) {
      auto& p = plan.parts[i];
      if (p.owner && (present(*p.owner) || planted(canary::lease_not_queued_again)))
        continue;
      auto heir = stand_in(plan, p.owner ? p.owner->role : role_id{});
      if (p.owner)
        p.number = p.number.next();
      plan.give(i, heir);
      if (heir && p.first < p.last) {
        grants.push_back(make_grant(at, *heir, p));
        plan.idle.erase(*heir);
      }
    }
  }
  std::erase_if(waiting_, [&](auto& x) { return !present(x.second.first); });
  for (auto& g : serve_waiting())
    grants.push_back(g);
  return grants;
}

std::vector<broker_core::grant> broker_core::answer(const member& who, step at) {
  auto grants = std::vector<grant>{};
  auto& all = plan(at);
  if (auto mine = all.of.find(who); mine != all.of.end())
    for (auto index : mine->second)
      grants.push_back(make_grant(at, who, all.parts[index]));
  if (grants.empty()) // joined after the step was split up: nothing to do in it
    grants.push_back(make_grant(at, who, part{0, 0, who, attempt{1}}));
  return grants;
}

// -- plans ------------------------------------------------------------------------------------------------------------

// While the members are the same a plan does not change: whoever asks gets the same one.
std::optional<step_plan> broker_core::on_plan_request(const request_plan& r) {
  if (r.at < committed_.floor || r.crew_since < crew_since_ || r.from.is_void(rewound_)) {
    ++dropped_;
    return std::nullopt;
  }
  if (r.crew_since > crew_since_) {
    std::erase_if(early_, [&](auto& x) { return x.from.role == r.from.role; });
    early_.push_back(r);
    return std::nullopt;
  }
  if (std::find(peers_.begin(), peers_.end(), member{r.from.role, r.from.incarnation}) == peers_.end()) {
    ++dropped_; // a zombie (I15)
    return std::nullopt;
  }
  if (r.from.role.kind == peer_kind_ && r.from.view >= rewound_)
    committed_.merge({r.at, {}}); // one that asks for it has applied the step before
  forget_committed();
  auto p = step_plan{r.at, crew_since_, learn::micro_batches_of_step(sizes_, r.at.value), {}};
  for (auto& each : plan(r.at).parts)
    if (each.owner)
      p.parts.push_back({each.first, each.last, each.owner->role.index});
  return p;
}

std::vector<std::pair<role_id, step_plan>> broker_core::plans_waited_for() {
  auto result = std::vector<std::pair<role_id, step_plan>>{};
  for (auto& r : std::exchange(early_, {}))
    if (auto p = on_plan_request(r))
      result.emplace_back(r.from.role, std::move(*p));
  return result;
}

// -- leases -----------------------------------------------------------------------------------------------------------

// The lowest step from `from` on that is the agent's own, else the lowest that is nobody's.
std::optional<broker_core::grant> broker_core::whole_step(const member& who, step from) {
  for (auto& [at, plan] : plans_)
    if (at >= from && plan.parts.front().owner == who)
      return make_grant(at, who, plan.parts.front());
  for (auto at = committed_.floor; at.value <= committed_.floor.value + pace_.ahead; at = at.next())
    if (!committed_.contains(at) && !plans_.contains(at)) {
      auto all = part{0, learn::micro_batches_of_step(sizes_, at.value), who, attempt{1}};
      plans_[at].add(all);
      return make_grant(at, who, all);
    }
  return std::nullopt;
}

std::vector<broker_core::grant> broker_core::serve_waiting() {
  auto grants = std::vector<grant>{};
  for (auto i = waiting_.begin(); i != waiting_.end();)
    if (auto g = whole_step(i->second.first, i->second.second)) {
      grants.push_back(*g);
      i = waiting_.erase(i);
    } else {
      break; // nothing is free for the others either
    }
  return grants;
}

std::vector<broker_core::grant> broker_core::on_request(const request_lease& r) {
  auto who = member{r.from.role, r.from.incarnation};
  auto late = pace_.in_order && r.at < committed_.floor;
  if (late || r.from.is_void(rewound_) || !present(who)) {
    ++dropped_;
    return {};
  }
  notice_speed(r);
  // Whether or not the coordinator's word of it arrived. Who has seen no view yet may speak of a time before the run
  // went back.
  if (r.from.view >= rewound_)
    committed_.merge(r.applied);
  forget_committed();
  auto grants = serve_waiting();
  if (pace_.in_order) {
    if (r.at.value > committed_.floor.value + pace_.ahead + 1) // one further on than may be computed: to fetch data
      ++dropped_;
    else
      grants = answer(who, r.at);
  } else if (auto g = whole_step(who, r.at)) {
    grants.push_back(*g);
  } else {
    waiting_.insert_or_assign(who.role, std::pair{who, r.at});
  }
  return grants;
}

// -- leases that are split --------------------------------------------------------------------------------------------

// As many are asked as have time. The shares are known only roughly: who has begun everything says so.
std::vector<broker_core::question> broker_core::ask_busy(step at, parted_step& plan) const {
  auto questions = std::vector<question>{};
  for (auto helper = plan.idle.begin(); helper != plan.idle.end() && plan.asked.size() < plan.idle.size(); ++helper) {
    auto busiest = static_cast<const member*>(nullptr);
    for (auto& m : agents_)
      if (!plan.idle.contains(m) && !plan.asked.contains(m) && !plan.spent.contains(m) && plan.load(m) > 1 &&
          (busiest == nullptr || plan.load(m) > plan.load(*busiest)))
        busiest = &m;
    if (busiest == nullptr)
      break;
    plan.asked.insert(*busiest);
    questions.push_back({*busiest, {at, helper->second}});
  }
  return questions;
}

broker_core::answers broker_core::on_offer(const offer_help& o) {
  auto who = member{o.from.role, o.from.incarnation};
  auto plan = plans_.find(o.at);
  if (o.from.is_void(rewound_) || !present(who)) {
    ++dropped_;
    return {};
  }
  if (o.at != committed_.floor || plan == plans_.end()) // done without help: no fault, as offers and commits cross
    return {};
  plan->second.idle.insert_or_assign(who, o.micro_batch_seconds);
  return {{}, ask_busy(o.at, plan->second)};
}

broker_core::answers broker_core::on_split(const lease_split& s) {
  auto who = member{s.from.role, s.from.incarnation};
  auto i = plans_.find(s.at);
  if (s.from.is_void(rewound_) || !present(who)) {
    ++dropped_;
    return {};
  }
  if (i == plans_.end()) // done meanwhile
    return {};
  auto& plan = i->second;
  plan.asked.erase(who);
  if (s.kept >= s.last) {
    plan.spent.insert(who);
    return {{}, ask_busy(s.at, plan)};
  }
  auto mine = std::find_if(plan.parts.begin(), plan.parts.end(), [&](auto& p) {
    return p.owner == who && p.first == s.first && p.last == s.last && p.first <= s.kept;
  });
  if (mine == plan.parts.end()) { // doubled, or of a broker before this one: what is its is its to do
    ++dropped_;
    return {answer(who, s.at), {}};
  }
  mine->last = s.kept;
  auto helper = plan.idle.empty() ? who : plan.idle.begin()->first;
  auto given = part{s.kept, s.last, helper, mine->number.next()};
  plan.idle.erase(helper);
  plan.add(given);
  return {{make_grant(s.at, helper, given)}, ask_busy(s.at, plan)};
}

std::vector<broker_core::grant> broker_core::on_committed(const step_committed& c) {
  if (c.view < rewound_) { // of a time before the run went back
    ++dropped_;
    return {};
  }
  if (pace_.in_order)
    committed_.merge({c.at.next(), {}});
  else
    committed_.insert(c.at);
  forget_committed();
  return serve_waiting();
}

void broker_core::forget_committed() {
  std::erase_if(plans_, [&](auto& x) { return committed_.contains(x.first); });
}

} // namespace troupe
