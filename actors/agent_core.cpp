#include "actors/agent_core.hpp"

#include <algorithm>

namespace troupe {
namespace {

// Evaluations that may wait for their parameters at once (R13); the coordinator has one round under way at a time.
constexpr size_t max_waiting_evaluations = 64;

} // namespace

agent_core::actions agent_core::on_coordinator() {
  auto out = actions{announce{}};
  if (version_)
    out.emplace_back(push_again{*version_});
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
    have_.assign(shards_, std::nullopt);
    version_.reset();
    asked_.reset();
    waiting_.clear();
    started_.clear();
    evaluations_.clear();
    measuring_.clear();
    out.emplace_back(forget{});
  }
  for (auto& m : v.members) {
    if (m.role.kind != "shard_holder" && m.role.kind != "data_broker")
      continue;
    auto [known, first] = peers_.try_emplace(m.role, m.incarnation);
    auto fresh = !first && known->second != m.incarnation;
    known->second = m.incarnation;
    if (m.role.kind == "data_broker" && fresh && version_) {
      out.emplace_back(ask{*version_});
      if (asked_ && *asked_ > *version_)
        out.emplace_back(ask{*asked_});
    }
    if (m.role.kind == "shard_holder" && (fresh || went_back) && m.role.index < shards_)
      out.emplace_back(pull{m.role.index});
    if (m.role.kind == "shard_holder" && fresh && version_)
      out.emplace_back(push_again{*version_});
  }
  return out;
}

bool agent_core::wants(const origin& from, step version) const {
  auto shard = from.role.index;
  // A holder that has seen no view does not know of it that the run went back.
  return shard < shards_ && from.view >= rewound_ && (!have_[shard] || *have_[shard] < version);
}

agent_core::actions agent_core::on_parameters(const origin& from, step version) {
  auto out = actions{};
  if (!wants(from, version)) {
    ++dropped_;
    return out;
  }
  have_[from.role.index] = version;
  progress_ = true;
  if (!std::all_of(have_.begin(), have_.end(), [&](auto& x) { return x == version; }))
    return out;
  version_ = version;
  std::erase_if(started_, [&](auto& x) { return x.at < version; });
  out.emplace_back(use_parameters{version});
  for (auto& e : evaluations_)
    if (e.version == version && measuring_.insert({e.version, e.first}).second)
      out.emplace_back(measure{e});
  std::erase_if(evaluations_, [&](auto& e) { return e.version <= version; });
  for (auto& l : waiting_)
    if (l.at == version)
      start(l, out);
  std::erase_if(waiting_, [&](auto& l) { return l.at <= version; });
  ask_for(version, out);
  return out;
}

void agent_core::ask_for(step at, actions& out) {
  if (asked_ && *asked_ >= at)
    return;
  asked_ = at;
  out.emplace_back(ask{at});
}

void agent_core::start(const lease& l, actions& out) {
  if (l.first < l.last && started_.insert({l.at, l.first, l.last}).second)
    out.emplace_back(compute{l});
  // The next step's samples are fetched while this one is computed and committed.
  ask_for(l.at.next(), out);
}

agent_core::actions agent_core::on_lease(const lease& l) {
  auto out = actions{};
  if (version_ && l.at < *version_) {
    ++dropped_;
    return out;
  }
  progress_ = true;
  if (version_ && l.at == *version_) {
    if (started_.contains({l.at, l.first, l.last}))
      ++dropped_;
    else
      start(l, out);
    return out;
  }
  auto same = [&](auto& x) { return x.at == l.at && x.first == l.first && x.last == l.last; };
  if (std::any_of(waiting_.begin(), waiting_.end(), same)) {
    ++dropped_;
    return out;
  }
  waiting_.push_back(l);
  if (l.first < l.last)
    out.emplace_back(fetch{l});
  return out;
}

agent_core::actions agent_core::on_rejected(const reject_gradients& r) {
  if (version_ != r.at || r.from.is_void(rewound_)) {
    ++dropped_;
    return {};
  }
  progress_ = true;
  return {prove{r.block}};
}

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

agent_core::actions agent_core::on_tick() {
  auto out = actions{};
  if (std::exchange(progress_, false))
    return out;
  out.emplace_back(announce{});
  for (uint32_t shard = 0; shard < shards_; ++shard)
    out.emplace_back(pull{shard});
  if (version_) {
    out.emplace_back(push_again{*version_});
    out.emplace_back(ask{*version_});
  }
  return out;
}

} // namespace troupe
