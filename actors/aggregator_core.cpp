#include "actors/aggregator_core.hpp"

#include <algorithm>

#include "actors/groups.hpp"

namespace troupe {

aggregator_core::actions aggregator_core::on_view(const view_changed& v) {
  auto out = actions{};
  if (v.number <= view_) {
    ++dropped_;
    if (!present_) // its word was lost
      out.emplace_back(announce{});
    return out;
  }
  view_ = v.number;
  if (v.rewound > rewound_) {
    rewound_ = v.rewound;
    floor_ = {};
    steps_.clear();
  }
  auto again = false; // somebody lacks what has been passed on
  auto was_present = std::exchange(present_, false);
  agents_.clear();
  for (auto& m : v.members) {
    if (m == self_)
      present_ = true;
    if (m.role.kind == "agent" && aggregator_of(m.role, fan_in_) == self_.role)
      agents_.push_back(m);
    if (m.role.kind != "shard_holder")
      continue;
    auto [known, first] = holders_.try_emplace(m.role, m.incarnation);
    again = again || (!first && known->second != m.incarnation);
    known->second = m.incarnation;
  }
  again = again || (present_ && !was_present);
  if (!present_)
    out.emplace_back(announce{});
  auto other_crew = v.crew_since > crew_since_;
  crew_since_ = std::max(crew_since_, v.crew_since);
  for (auto& [at, s] : steps_) {
    s.planned = s.planned && !other_crew;
    if (!s.planned)
      out.emplace_back(ask_plan{at});
    for (auto& [block, sums] : s.sums)
      if (again)
        pass_on_again(at, s, block, out);
  }
  return out;
}

bool aggregator_core::contributes(const origin& from) const {
  return !from.is_void(rewound_) &&
         std::find(agents_.begin(), agents_.end(), member{from.role, from.incarnation}) != agents_.end();
}

// An agent that computes with the parameters of a version has got them from every shard holder.
void aggregator_core::release_before(step version, actions& out) {
  if (version <= floor_)
    return;
  floor_ = version;
  steps_.erase(steps_.begin(), steps_.lower_bound(version));
  out.emplace_back(release{version});
}

bool aggregator_core::on_push(const push_gradients& p, actions& out) {
  auto old = p.at < floor_ || p.at < p.base || !pace_.fresh(p.at, p.base);
  auto in_step = p.micro_batches > 0 && sum_tree{p.micro_batches}.valid(p.node);
  if (old || !in_step || !contributes(p.from)) {
    ++dropped_;
    return false;
  }
  if (p.from.view >= rewound_) // who has seen no view may speak of a time before the run went back
    release_before(p.base, out);
  auto [i, first] = steps_.try_emplace(p.at);
  auto& s = i->second;
  if (first) {
    s.micro_batches = p.micro_batches;
    out.emplace_back(ask_plan{p.at});
  }
  auto which = key{p.block, p.node};
  auto fits = s.micro_batches == p.micro_batches;
  if (!fits || !s.kept.emplace(which, p.base).second) {
    ++dropped_;
    if (fits)
      repair(p.at, s, which, out);
    return false;
  }
  if (s.planned && !use(p.at, s, which, out))
    ++dropped_;
  return true;
}

// An agent pushes again what may be lost on its way, so what came of it is sent again: each sum once, for its first
// part. The broker has no plan any more for a step that has committed: what a shard lacks of it is passed on as it is.
void aggregator_core::repair(step at, const adding_up& s, const key& which, actions& out) const {
  if (s.kept.begin()->first == which)
    out.emplace_back(ask_plan{at});
  if (!s.planned)
    return send_on(at, s, which, out);
  auto tree = sum_tree{s.micro_batches};
  auto* part = part_of(s, which.second);
  if (part && tree.first(*part) == tree.first(which.second))
    pass_on(at, s, which.first, *part, out);
}

bool aggregator_core::doubts(const push_gradients& p) const {
  auto i = steps_.find(p.at);
  return !p.again && i != steps_.end() && i->second.rejected.contains(p.block);
}

// -- plans ------------------------------------------------------------------------------------------------------------

aggregator_core::actions aggregator_core::on_plan(const step_plan& p) {
  auto out = actions{};
  auto i = steps_.find(p.at);
  if (p.crew_since != crew_since_ || i == steps_.end() || i->second.micro_batches != p.micro_batches) {
    ++dropped_;
    return out;
  }
  auto& s = i->second;
  auto cover = cover_of(p);
  if (cover != s.cover) {
    s.cover = std::move(cover);
    s.sums.clear();
    out.emplace_back(start_over{p.at});
  } else if (s.planned) {
    ++dropped_;
    return out;
  }
  s.planned = true;
  for (auto& [which, base] : s.kept)
    use(p.at, s, which, out);
  return out;
}

std::vector<tree_node> aggregator_core::cover_of(const step_plan& p) const {
  auto mine = std::vector<std::pair<uint64_t, uint64_t>>{};
  for (auto& part : p.parts)
    if (aggregator_of({"agent", part.rank}, fan_in_) == self_.role && part.first < part.last &&
        part.last <= p.micro_batches)
      mine.emplace_back(part.first, part.last);
  std::sort(mine.begin(), mine.end());
  auto result = std::vector<tree_node>{};
  auto tree = sum_tree{p.micro_batches};
  for (size_t i = 0; i < mine.size();) {
    auto [first, last] = mine[i];
    for (++i; i < mine.size() && mine[i].first == last; ++i)
      last = mine[i].second;
    for (auto& n : tree.cover(first, last, bucket_))
      result.push_back(n);
  }
  return result;
}

const tree_node* aggregator_core::part_of(const adding_up& s, tree_node n) {
  auto tree = sum_tree{s.micro_batches};
  for (auto& c : s.cover)
    if (tree.first(c) <= tree.first(n) && tree.last(n) <= tree.last(c))
      return &c;
  return nullptr;
}

const tree_node* aggregator_core::part_of(step at, tree_node n) const {
  auto i = steps_.find(at);
  return i == steps_.end() ? nullptr : part_of(i->second, n);
}

// -- sums -------------------------------------------------------------------------------------------------------------

// False: what is there covers it. What is not the group's is kept in case another plan says that it is.
bool aggregator_core::use(step at, adding_up& s, const key& which, actions& out) {
  auto* part = part_of(s, which.second);
  if (!part)
    return true;
  auto& sums = s.sums.try_emplace(which.first, s.micro_batches, bucket_).first->second;
  auto change = sums.insert(which.second);
  if (change.verdict != partial_sums::verdict::accepted)
    return false;
  out.emplace_back(add{at, which.first, which.second, std::move(change.replaced), std::move(change.merges)});
  pass_on(at, s, which.first, *part, out);
  return true;
}

// If it is whole.
void aggregator_core::pass_on(step at, const adding_up& s, block_id block, tree_node n, actions& out) const {
  if (auto sums = s.sums.find(block); sums != s.sums.end() && sums->second.contains(n))
    send_on(at, s, {block, n}, out);
}

void aggregator_core::send_on(step at, const adding_up& s, const key& which, actions& out) const {
  auto& [block, n] = which;
  auto base = at; // the oldest
  for (auto i = s.kept.lower_bound({block, {}}); i != s.kept.end() && i->first.first == block; ++i)
    base = std::min(base, i->second);
  out.emplace_back(forward{{from(), at, base, block, n, s.micro_batches, {}, s.rejected.contains(block)}});
}

void aggregator_core::pass_on_again(step at, const adding_up& s, block_id block, actions& out) const {
  for (auto& n : s.cover)
    pass_on(at, s, block, n, out);
}

// What is pushed from now on is proven before it is added up. Said again, it may be the sum that is lost.
aggregator_core::actions aggregator_core::on_rejected(const reject_gradients& r) {
  auto out = actions{};
  auto holder = holders_.find(r.from.role);
  if (holder == holders_.end() || holder->second != r.from.incarnation || r.from.is_void(rewound_) || r.at < floor_) {
    ++dropped_;
    return out;
  }
  if (auto i = steps_.find(r.at); i != steps_.end()) {
    auto& s = i->second;
    if (!s.rejected.insert(r.block).second) {
      pass_on_again(r.at, s, r.block, out);
      return out;
    }
    std::erase_if(s.kept, [&](auto& x) { return x.first.first == r.block; });
    s.sums.erase(r.block);
    out.emplace_back(forget{r.at, r.block});
  }
  for (auto& m : agents_)
    out.emplace_back(reject{r.at, r.block, m.role});
  return out;
}

} // namespace troupe
