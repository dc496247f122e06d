#include "actors/shard_core.hpp"

#include <algorithm>

#include "messages/canary.hpp"

namespace troupe {

void shard_core::empty() {
  applying_.reset();
  steps_.clear();
  commits_.clear();
}

bool shard_core::on_loaded(const step_set& applied, troupe::view since) {
  if (since < rewound_ || (since == rewound_ && loaded_ && applied.version() <= version()))
    return false;
  rewound_ = since; // it may come before the view that says so
  loaded_ = true;
  applied_ = applied;
  empty();
  return true;
}

std::vector<member> shard_core::on_view(const view_changed& v) {
  auto fresh = std::vector<member>{};
  if (v.number <= view_) {
    ++dropped_;
    return fresh;
  }
  view_ = v.number;
  if (v.rewound > rewound_) {
    rewound_ = v.rewound;
    // Agents of before have forgotten what they had.
    loaded_ = false;
    agents_.clear();
    empty();
  }
  auto before = std::move(agents_);
  agents_.clear();
  aggregators_.clear();
  for (auto& m : v.members) {
    if (m.role.kind == "aggregator")
      aggregators_.push_back(m);
    if (m.role.kind != "agent")
      continue;
    agents_.push_back(m);
    if (!std::binary_search(before.begin(), before.end(), m))
      fresh.push_back(m);
  }
  std::sort(agents_.begin(), agents_.end());
  std::sort(aggregators_.begin(), aggregators_.end());
  if (planted(canary::partial_sum_used) && agents_.size() - fresh.size() < before.size())
    for (auto& b : blocks_)
      steps_[applied_.floor].norms.try_emplace(b, block_norm{b, 0, true});
  return fresh;
}

bool shard_core::current(const origin& from) const {
  if (from.is_void(rewound_))
    return false;
  auto& those = contributors();
  return std::binary_search(those.begin(), those.end(), member{from.role, from.incarnation});
}

// Where steps commit as they are complete, agents may know of commits that have not arrived here: twice the distance.
bool shard_core::open(step at) const {
  auto reach = pace_.in_order ? pace_.ahead : 2 * pace_.ahead;
  return loaded_ && !applied_.contains(at) && applying_ != at && at.value <= applied_.floor.value + reach;
}

shard_core::intake shard_core::on_push(const push_gradients& p) {
  auto result = intake{};
  auto ours = std::find(blocks_.begin(), blocks_.end(), p.block) != blocks_.end();
  if (!open(p.at) || !ours || !current(p.from) || p.micro_batches == 0 || !pace_.fresh(p.at, p.base)) {
    ++dropped_;
    return result;
  }
  auto& sums = steps_[p.at].sums.try_emplace(p.block, p.micro_batches, bucket_).first->second;
  if (sums.tree().leaves() != p.micro_batches) {
    ++dropped_;
    result.verdict = partial_sums::verdict::invalid;
    return result;
  }
  auto change = sums.insert(p.node);
  if (change.verdict != partial_sums::verdict::accepted)
    ++dropped_;
  result.verdict = change.verdict;
  result.replaced = std::move(change.replaced);
  result.merges = std::move(change.merges);
  result.block_complete = change.verdict == partial_sums::verdict::accepted && sums.complete();
  return result;
}

bool shard_core::on_sum(step at, block_id block, uint64_t micro_batches) {
  auto ours = std::find(blocks_.begin(), blocks_.end(), block) != blocks_.end();
  if (!open(at) || !ours || bucket_ != 0 || micro_batches == 0)
    return false;
  auto& sums = steps_[at].sums.try_emplace(block, micro_batches).first->second;
  return !sums.complete() && sums.insert(sums.tree().root()).verdict == partial_sums::verdict::accepted;
}

bool shard_core::rejects(step at, const block_norm& norm) {
  if (!open(at) || norm.finite || !steps_[at].rejected.insert(norm.block).second)
    return false;
  steps_[at].sums.erase(norm.block);
  ++dropped_;
  return true;
}

std::vector<std::pair<step, block_id>> shard_core::rejected() const {
  auto result = std::vector<std::pair<step, block_id>>{};
  for (auto& [at, each] : steps_)
    for (auto& b : each.rejected)
      if (!each.norms.contains(b))
        result.emplace_back(at, b);
  return result;
}

bool shard_core::doubts(const push_gradients& p) const {
  auto i = steps_.find(p.at);
  return !p.again && i != steps_.end() && i->second.rejected.contains(p.block);
}

bool shard_core::on_norm(step at, const block_norm& norm) {
  if (!open(at))
    return false;
  steps_[at].norms[norm.block] = norm;
  return summed(at);
}

std::optional<commit_step> shard_core::on_commit(const commit_step& c) {
  auto late = c.version < version() || (applying_ && c.version == version());
  auto far = c.version.value > version().value + pace_.ahead + 1;
  if (!loaded_ || late || far || c.view < rewound_) {
    ++dropped_;
    return std::nullopt;
  }
  commits_.insert_or_assign(c.version, c);
  return next();
}

std::optional<commit_step> shard_core::next() {
  auto i = commits_.find(version());
  if (i == commits_.end() || applying_)
    return std::nullopt;
  auto c = i->second;
  commits_.erase(i);
  if (!summed(c.at) || applied_.contains(c.at)) { // what it lacks comes again, and then the commit as well
    ++dropped_;
    return std::nullopt;
  }
  applying_ = c.at;
  return c;
}

std::optional<commit_step> shard_core::on_applied() {
  steps_.erase(*applying_);
  applied_.insert(*applying_);
  applying_.reset();
  return next();
}

bool shard_core::summed(step at) const {
  auto i = steps_.find(at);
  return i != steps_.end() && i->second.norms.size() == blocks_.size();
}

std::vector<step> shard_core::summed() const {
  auto result = std::vector<step>{};
  auto committed = [&](step at) {
    return std::any_of(commits_.begin(), commits_.end(), [&](auto& c) { return c.second.at == at; });
  };
  for (auto& [at, each] : steps_)
    if (summed(at) && applying_ != at && !committed(at))
      result.push_back(at);
  return result;
}

std::vector<block_norm> shard_core::norms(step at) const {
  auto result = std::vector<block_norm>{};
  if (auto i = steps_.find(at); i != steps_.end())
    for (auto& [block, norm] : i->second.norms)
      result.push_back(norm);
  return result;
}

} // namespace troupe
