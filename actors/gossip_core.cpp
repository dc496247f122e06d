#include "actors/gossip_core.hpp"

#include <algorithm>

namespace troupe {
namespace {

// Buckets of members or a step that are not known here yet (R13): a whole step of a large model.
constexpr size_t max_early = 65536;

} // namespace

// -- membership and parameters ----------------------------------------------------------------------------------------

bool gossip_core::on_loaded(step version, view since, actions& out) {
  if (!take_model(version, since))
    return false;
  begin_again(out);
  return true;
}

gossip_core::actions gossip_core::on_view(const view_changed& v) {
  auto out = actions{};
  auto news = take_view(v);
  if (news.stale)
    return out;
  if (news.went_back) {
    empty_step();
    out.emplace_back(start_over{});
  }
  // The step has committed with the members before: only the word of it was lost.
  const auto is_result = loaded_ && summed() && v.current > version_;
  current_ = std::max(current_, v.current);
  if (is_result) {
    out.emplace_back(report{});
    return out;
  }
  if (news.new_crew)
    begin_again(out);
  if (auto from = behind(v.current))
    out.emplace_back(*from);
  return out;
}

void gossip_core::empty_step() {
  forget_plan();
  partners_.clear();
  adapted_.clear();
  came_.clear();
  mixing_.clear();
  mixed_.clear();
  sent_.clear();
  made_in_.reset();
}

// What the agent has pushed stays; who contributes what is asked anew.
void gossip_core::begin_again(actions& out) {
  empty_step();
  out.emplace_back(start_over{});
  if (takes_part()) {
    partners_ = rounds_.partners(version_, peers(), place_);
    out.emplace_back(ask_plan{version_});
  }
  replay_early(out);
}

// -- the own update ---------------------------------------------------------------------------------------------------

gossip_core::actions gossip_core::on_plan(const step_plan& p) {
  auto out = actions{};
  if (take_plan(p))
    adapt_what_is_there(out);
  return out;
}

bool gossip_core::on_push(const push_gradients& p, actions& out) {
  if (!take_push(p))
    return false;
  adapt_what_is_there(out);
  return true;
}

void gossip_core::adapt_what_is_there(actions& out) {
  for (auto& a : to_assemble())
    out.emplace_back(adapt{a.bucket, std::move(a.nodes)});
}

gossip_core::actions gossip_core::on_adapted(view since, uint32_t bucket) {
  auto out = actions{};
  if (since != since_ || !plan_ || !adapted_.insert(bucket).second)
    return out; // begun with other members
  progress_ = true;
  for (auto place : partners_) {
    sent_.push_back({peers_[place], {from(), version_, since_, bucket, {}, {}}});
    out.emplace_back(sent_.back());
  }
  mix_if_there(bucket, out);
  return out;
}

// -- partners ---------------------------------------------------------------------------------------------------------

gossip_core::actions gossip_core::on_parameters(const gossip_parameters& p) {
  auto out = actions{};
  if (p.from.is_void(rewound_) || (loaded_ && p.at < version_) || p.crew_since < since_) {
    ++dropped_;
    return out;
  }
  if (!loaded_ || p.at > version_ || p.crew_since > since_) {
    if (early_.size() < max_early)
      early_.insert_or_assign(std::tuple{p.at, p.crew_since, p.from.role, p.bucket}, p);
    else
      ++dropped_;
    return out;
  }
  take(p, out);
  return out;
}

void gossip_core::replay_early(actions& out) {
  if (!loaded_)
    return;
  auto ready = std::vector<gossip_parameters>{};
  std::erase_if(early_, [&](auto& x) {
    auto& p = x.second;
    if (p.at == version_ && p.crew_since == since_)
      ready.push_back(p);
    return p.at < version_ || p.crew_since < since_ || (p.at == version_ && p.crew_since == since_);
  });
  for (auto& p : ready)
    take(p, out);
}

void gossip_core::take(const gossip_parameters& p, actions& out) {
  auto partner = std::find_if(partners_.begin(), partners_.end(), [&](auto place) {
    return peers_[place] == member{p.from.role, p.from.incarnation};
  });
  auto fits = [&](const payload& x) { return x.type() == dtype::f32 && x.elements() == buckets_[p.bucket].size; };
  if (partner == partners_.end() || p.bucket >= buckets_.size() || !fits(p.values) ||
      p.state.size() != (with_state() ? states_ : 0) || !std::all_of(p.state.begin(), p.state.end(), fits) ||
      !came_[p.bucket].emplace(*partner, p).second) {
    ++dropped_;
    return;
  }
  progress_ = true;
  mix_if_there(p.bucket, out);
}

void gossip_core::mix_if_there(uint32_t bucket, actions& out) {
  if (!adapted_.contains(bucket) || came_[bucket].size() < partners_.size() || !mixing_.insert(bucket).second)
    return;
  if (is_alone())
    mixed(bucket, out);
  else
    out.emplace_back(mix{bucket, came_[bucket]});
}

gossip_core::actions gossip_core::on_mixed(view since, uint32_t bucket) {
  auto out = actions{};
  if (since == since_ && mixing_.contains(bucket)) // else it was begun with other members
    mixed(bucket, out);
  return out;
}

void gossip_core::mixed(uint32_t bucket, actions& out) {
  if (!mixed_.insert(bucket).second || mixed_.size() < buckets_.size())
    return;
  progress_ = true;
  made_in_ = since_;
  out.emplace_back(report{});
}

// -- the step ---------------------------------------------------------------------------------------------------------

bool gossip_core::on_commit(const commit_step& c) {
  if (!loaded_ || c.version != version_ || c.view < rewound_ || made_in_ != c.crew_since) {
    ++dropped_;
    return false;
  }
  return true;
}

gossip_core::actions gossip_core::on_applied() {
  auto out = actions{};
  take_update();
  begin_again(out);
  return out;
}

gossip_core::actions gossip_core::on_bound(const member& who) const {
  auto out = actions{};
  for (auto& s : sent_)
    if (s.to == who)
      out.emplace_back(s);
  return out;
}

gossip_core::actions gossip_core::on_tick() {
  auto out = actions{};
  if (std::exchange(progress_, false))
    return out;
  if (!loaded_ || version_ < current_) {
    if (auto from = behind(current_))
      out.emplace_back(*from);
    return out;
  }
  if (!plan_ && takes_part())
    out.emplace_back(ask_plan{version_});
  for (auto& s : sent_)
    out.emplace_back(s);
  return out;
}

} // namespace troupe
