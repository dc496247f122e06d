#include "actors/agent_core.hpp"

#include <algorithm>

namespace troupe {
namespace {

// Evaluations that may wait for their parameters at once (R13); the coordinator has one round under way at a time.
constexpr size_t max_waiting_evaluations = 64;
// Where a step is one agent's work: one being computed, one whose data is fetched.
constexpr size_t max_in_hand = 2;
// And of its steps that have been started, so many have not taken effect in the parameters it has: without a limit an
// agent would outrun its own updates.
constexpr size_t max_unapplied = 2;

} // namespace

agent_core::actions agent_core::on_coordinator() {
  auto out = actions{announce{}};
  if (version_)
    out.emplace_back(push_again{});
  return out;
}

agent_core::actions agent_core::on_view(const view_changed& v) {
  if (v.number <= view_) {
    ++dropped_;
    return {};
  }
  view_ = v.number;
  progress_ = true;
  auto out = actions{};
  auto went_back = v.rewound > rewound_;
  if (went_back) {
    rewound_ = v.rewound;
    have_.assign(shards_, {});
    version_.reset();
    applied_ = {};
    asked_.reset();
    answered_ = true;
    waiting_.clear();
    started_.clear();
    evaluations_.clear();
    measuring_.clear();
    out.emplace_back(forget{});
  }
  go_if_done(out);
  for (auto& m : v.members) {
    auto shard = shard_of(m.role);
    auto takes = takes_pushes(m.role);
    if (!shard && !takes && m.role.kind != "data_broker")
      continue;
    auto [known, first] = peers_.try_emplace(m.role, m.incarnation);
    auto fresh = !first && known->second != m.incarnation;
    known->second = m.incarnation;
    if (m.role.kind == "data_broker" && fresh)
      ask_again(out);
    if (shard && (fresh || went_back))
      out.emplace_back(pull{*shard});
    if (takes && fresh && version_)
      out.emplace_back(push_again{});
  }
  return out;
}

bool agent_core::takes_pushes(const role_id& role) const {
  return aggregator_.kind.empty() ? shard_of(role).has_value() : role == aggregator_;
}

agent_core::actions agent_core::on_bound(const member& who) const {
  auto out = actions{};
  auto known = peers_.find(who.role);
  if (known == peers_.end() || known->second != who.incarnation)
    return out; // the view comes, or one is there already
  if (auto shard = shard_of(who.role))
    out.emplace_back(pull{*shard});
  if (takes_pushes(who.role) && version_)
    out.emplace_back(push_again{});
  return out;
}

std::optional<uint32_t> agent_core::shard_of(const role_id& holder) const {
  if (!peer_kind_.empty())
    return holder == role_id{peer_kind_, self_.role.index} ? std::optional{0u} : std::nullopt;
  return holder.kind == "shard_holder" && holder.index < shards_ ? std::optional{holder.index} : std::nullopt;
}

bool agent_core::wants(const origin& from, step version) const {
  auto shard = shard_of(from.role);
  if (!shard || from.view < rewound_) // one that has seen no view does not know of it that the run went back
    return false;
  auto& mine = have_[*shard];
  return pace_.in_order ? (!version_ || *version_ < version) && !mine.contains(version)
                        : mine.empty() || mine.begin()->first < version;
}

// The newest version that every shard has sent is used; where steps commit in any order, the newest of each shard.
agent_core::actions agent_core::on_parameters(const origin& from, const step_set& applied) {
  auto out = actions{};
  auto version = applied.version();
  if (!wants(from, version)) {
    ++dropped_;
    return out;
  }
  progress_ = true;
  auto& mine = have_[*shard_of(from.role)];
  mine.emplace(version, applied);
  if (mine.size() > (pace_.in_order ? max_versions : 1))
    mine.erase(mine.begin());
  if (pace_.in_order) {
    if (std::all_of(have_.begin(), have_.end(), [&](auto& x) { return x.contains(version); }))
      bind(std::vector<step>(shards_, version), applied, out);
    return out;
  }
  auto versions = std::vector<step>{};
  auto lowest = &applied;
  for (auto& each : have_) {
    if (each.empty())
      return out;
    versions.push_back(each.begin()->first);
    if (each.begin()->first < lowest->version())
      lowest = &each.begin()->second;
  }
  bind(std::move(versions), *lowest, out);
  return out;
}

void agent_core::bind(std::vector<step> versions, const step_set& applied, actions& out) {
  auto version = applied.version();
  version_ = version;
  applied_ = applied;
  if (pace_.in_order)
    for (auto& each : have_)
      each.erase(each.begin(), each.upper_bound(version));
  std::erase_if(started_, [&](auto& x) { return applied_.contains(x.at); });
  out.emplace_back(use_parameters{std::move(versions)});
  for (auto& e : evaluations_)
    if (e.version == version && measuring_.insert({e.version, e.first}).second)
      out.emplace_back(measure{e});
  std::erase_if(evaluations_, [&](auto& e) { return e.version <= version; });
  std::erase_if(waiting_, [&](auto& l) { return applied_.contains(l.at); });
  start_what_may(out);
  ask_for_more(out);
  go_if_done(out);
}

// One after the other where there is a choice, each with the newest parameters there are by then.
bool agent_core::may_start(step at) const {
  if (!version_ || !pace_.fresh(at, *version_))
    return false;
  // A step before those that wait may be what they wait for.
  if (!pace_.in_order && started_.size() >= max_unapplied && at >= started_.begin()->at)
    return false;
  return pace_ == pace::synchronous() || busy_ == 0;
}

void agent_core::start_what_may(actions& out) {
  std::sort(waiting_.begin(), waiting_.end(), [](auto& a, auto& b) { return a.at < b.at; });
  for (auto i = waiting_.begin(); i != waiting_.end();)
    if (may_start(i->at)) {
      start(*i, out);
      i = waiting_.erase(i);
    } else {
      ++i;
    }
}

// -- leases -----------------------------------------------------------------------------------------------------------

void agent_core::ask_for(step at, actions& out) {
  if (leaving_ || (asked_ && *asked_ >= at))
    return;
  asked_ = at;
  out.emplace_back(ask{at});
}

void agent_core::ask_for_more(actions& out) {
  if (pace_.in_order) {
    for (auto at = *version_; at.value <= version_->value + pace_.ahead; at = at.next())
      ask_for(at, out);
  } else if (!leaving_ && answered_ && busy_ + waiting_.size() < max_in_hand) {
    answered_ = false;
    asked_ = asked_.value_or(applied_.floor);
    out.emplace_back(ask{*asked_});
  }
}

// The answer may be lost, or who knew it is gone.
void agent_core::ask_again(actions& out) const {
  if (!version_)
    return;
  if (pace_.in_order) {
    for (auto at = *version_; asked_ && at <= *asked_; at = at.next())
      out.emplace_back(ask{at});
    return;
  }
  out.emplace_back(ask{applied_.floor});
  if (!answered_)
    out.emplace_back(ask{*asked_});
}

void agent_core::start(const lease& l, actions& out) {
  if (l.first < l.last && started_.insert({l.at, l.first, l.last}).second) {
    ++busy_;
    out.emplace_back(compute{l, *version_});
  }
  if (pace_.in_order) // the next step's samples are fetched while this one is computed and committed
    ask_for(l.at.next(), out);
}

// Where leases are split, also as a part of another one: the broker may not know of that yet. Elsewhere whoever takes
// the contributions may wait for those to this very part.
bool agent_core::has_started(const lease& l) const {
  if (!helps_)
    return started_.contains({l.at, l.first, l.last});
  return l.first < l.last && std::any_of(started_.begin(), started_.end(), [&](auto& x) {
           return x.at == l.at && x.first <= l.first && l.last <= x.last;
         });
}

agent_core::actions agent_core::on_lease(const lease& l) {
  auto out = actions{};
  if (leaving_ && (started_.empty() || l.at > started_.rbegin()->at)) {
    ++dropped_; // others get it when this agent is gone
    return out;
  }
  auto same = [&](auto& x) { return x.at == l.at && x.first == l.first && x.last == l.last; };
  if (applied_.contains(l.at) || has_started(l) || std::any_of(waiting_.begin(), waiting_.end(), same)) {
    ++dropped_;
    if (!pace_.in_order && !answered_ && version_) // a broker that has just begun gives out what is done already
      out.emplace_back(ask{*asked_});
    return out;
  }
  progress_ = true;
  if (!pace_.in_order) {
    asked_ = std::max(asked_.value_or(step{}), l.at.next());
    answered_ = true;
  }
  if (may_start(l.at)) {
    start(l, out);
  } else {
    waiting_.push_back(l);
    if (l.first < l.last)
      out.emplace_back(fetch{l});
  }
  if (!pace_.in_order && version_)
    ask_for_more(out);
  return out;
}

agent_core::actions agent_core::on_computed() {
  auto out = actions{};
  busy_ -= busy_ > 0;
  start_what_may(out);
  if (!pace_.in_order && version_)
    ask_for_more(out);
  // Who has had one micro-batch may take it that the others have as few.
  uint64_t done = 0;
  for (auto& x : started_)
    done += version_ && x.at == *version_ ? x.last - x.first : 0;
  if (helps_ && !leaving_ && busy_ == 0 && done > 1)
    out.emplace_back(offer{*version_});
  return out;
}

void agent_core::on_split(step at, uint64_t first, uint64_t kept, uint64_t last) {
  if (started_.erase({at, first, last}) > 0 && first < kept)
    started_.insert({at, first, kept});
}

agent_core::actions agent_core::on_rejected(const reject_gradients& r) {
  if (!version_ || applied_.contains(r.at) || r.from.is_void(rewound_)) {
    ++dropped_;
    return {};
  }
  progress_ = true;
  return {prove{r.at, r.block}};
}

// -- evaluation -------------------------------------------------------------------------------------------------------

agent_core::actions agent_core::on_evaluate(const evaluate& e) {
  if (version_ && e.version == *version_ && measuring_.insert({e.version, e.first}).second)
    return {measure{e}};
  if ((version_ && e.version <= *version_) || evaluations_.size() >= max_waiting_evaluations) {
    ++dropped_;
    return {};
  }
  evaluations_.push_back(e);
  return {};
}

void agent_core::on_measured(step version, uint64_t first) {
  measuring_.erase({version, first});
}

// -- leaving ----------------------------------------------------------------------------------------------------------

agent_core::actions agent_core::on_leave() {
  auto out = actions{};
  leaving_ = true;
  progress_ = true;
  // A step before one that is begun may be what that waits for.
  std::erase_if(waiting_, [&](auto& l) { return started_.empty() || l.at > started_.rbegin()->at; });
  go_if_done(out);
  return out;
}

void agent_core::go_if_done(actions& out) {
  if (leaving_ && started_.empty() && waiting_.empty())
    out.emplace_back(go{});
}

agent_core::actions agent_core::on_tick() {
  auto out = actions{};
  if (std::exchange(progress_, false))
    return out;
  out.emplace_back(announce{});
  for (uint32_t shard = 0; shard < shards_; ++shard)
    out.emplace_back(pull{shard});
  if (version_) {
    out.emplace_back(push_again{});
    ask_again(out);
  }
  return out;
}

} // namespace troupe
