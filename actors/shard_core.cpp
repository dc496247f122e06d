#include "actors/shard_core.hpp"

#include <algorithm>

#include "messages/canary.hpp"

namespace troupe {

bool shard_core::on_loaded(step version, troupe::view since) {
  if (since < rewound_ || (since == rewound_ && loaded_ && version <= version_))
    return false;
  rewound_ = since; // it may come before the view that says so
  loaded_ = true;
  applying_ = false;
  version_ = version;
  sums_.clear();
  norms_.clear();
  rejected_.clear();
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
    loaded_ = applying_ = false;
    agents_.clear();
    sums_.clear();
    norms_.clear();
    rejected_.clear();
  }
  auto before = std::move(agents_);
  agents_.clear();
  for (auto& m : v.members) {
    if (m.role.kind != "agent")
      continue;
    agents_.push_back(m);
    if (std::find(before.begin(), before.end(), m) == before.end())
      fresh.push_back(m);
  }
  if (planted(canary::partial_sum_used) && agents_.size() - fresh.size() < before.size())
    for (auto& b : blocks_)
      norms_.try_emplace(b, block_norm{b, 0, true});
  return fresh;
}

bool shard_core::current(const origin& from) const {
  if (from.is_void(rewound_))
    return false;
  return std::find(agents_.begin(), agents_.end(), member{from.role, from.incarnation}) != agents_.end();
}

shard_core::intake shard_core::on_push(const push_gradients& p) {
  auto result = intake{};
  auto ours = std::find(blocks_.begin(), blocks_.end(), p.block) != blocks_.end();
  if (!loaded_ || applying_ || p.at != version_ || !ours || !current(p.from) || p.micro_batches == 0) {
    ++dropped_;
    return result;
  }
  auto& sums = sums_.try_emplace(p.block, p.micro_batches).first->second;
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

bool shard_core::rejects(step at, const block_norm& norm) {
  if (at != version_ || applying_ || norm.finite || !rejected_.insert(norm.block).second)
    return false;
  sums_.erase(norm.block);
  ++dropped_;
  return true;
}

std::vector<block_id> shard_core::rejected() const {
  auto result = std::vector<block_id>{};
  for (auto& b : rejected_)
    if (!norms_.contains(b))
      result.push_back(b);
  return result;
}

bool shard_core::doubts(const push_gradients& p) const {
  return !p.again && p.at == version_ && rejected_.contains(p.block);
}

bool shard_core::on_norm(step at, block_norm norm) {
  if (at != version_ || applying_)
    return false;
  norms_[norm.block] = norm;
  return summed();
}

bool shard_core::on_commit(const commit_step& c) {
  if (!loaded_ || applying_ || c.at != version_ || c.view < rewound_ || !summed()) {
    ++dropped_;
    return false;
  }
  applying_ = true;
  return true;
}

void shard_core::on_applied() {
  version_ = version_.next();
  applying_ = false;
  sums_.clear();
  norms_.clear();
  rejected_.clear();
}

std::vector<block_norm> shard_core::norms() const {
  auto result = std::vector<block_norm>{};
  for (auto& [block, norm] : norms_)
    result.push_back(norm);
  return result;
}

} // namespace troupe
