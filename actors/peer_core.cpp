#include "actors/peer_core.hpp"

namespace troupe {

// -- membership and parameters ----------------------------------------------------------------------------------------

bool peer_core::take_model(step version, view since) {
  // What is being applied gets there as well.
  if (since < rewound_ || (since == rewound_ && loaded_ && (version <= version_ || applying_)))
    return false;
  if (since > rewound_) { // it may come before the view that says so
    rewound_ = since;
    current_ = {};
  }
  applying_ = false;
  loaded_ = true;
  version_ = version;
  progress_ = true;
  pushed_.clear();
  return true;
}

peer_core::view_news peer_core::take_view(const view_changed& v) {
  auto news = view_news{};
  if (v.number < view_ || v.number < rewound_) {
    ++dropped_;
    news.stale = true;
    return news;
  }
  if (v.rewound > rewound_) {
    rewound_ = v.rewound;
    loaded_ = applying_ = false;
    current_ = {};
    pushed_.clear();
    news.went_back = true;
  }
  if (v.number > view_) {
    view_ = v.number;
    progress_ = true;
    peers_.clear();
    agent_.reset();
    for (auto& m : v.members)
      if (m.role.kind == self_.role.kind)
        peers_.push_back(m);
      else if (m.role == role_id{"agent", self_.role.index})
        agent_ = m;
    std::sort(peers_.begin(), peers_.end());
    auto here = std::find(peers_.begin(), peers_.end(), self_);
    place_ = static_cast<uint32_t>(here - peers_.begin());
    if (here == peers_.end())
      peers_.clear(); // fenced, or not taken in yet
    if (v.crew_since > since_) {
      since_ = v.crew_since;
      news.new_crew = true;
    }
  }
  return news;
}

std::optional<peer_core::fetch_model> peer_core::behind(step current) {
  current_ = std::max(current_, current);
  if (peers_.size() < 2 || applying_ || (loaded_ && version_ >= current_))
    return std::nullopt;
  donor_ = donor_ % static_cast<uint32_t>(peers_.size() - 1) + 1;
  return fetch_model{peers_[(place_ + donor_) % peers_.size()], current_};
}

// -- the own part -----------------------------------------------------------------------------------------------------

bool peer_core::take_plan(const step_plan& p) {
  if (!loaded_ || applying_ || p.at != version_ || p.crew_since != since_ || plan_ || p.micro_batches == 0) {
    ++dropped_;
    return false;
  }
  uint64_t leased = 0;
  for (auto& part : p.parts)
    leased += part.last - std::min(part.first, part.last);
  if (leased != p.micro_batches)
    return false; // no agent is there for some of it; the next view brings another plan
  progress_ = true;
  plan_ = p;
  std::sort(plan_->parts.begin(), plan_->parts.end());
  auto tree = sum_tree{p.micro_batches};
  for (auto& part : plan_->parts)
    if (part.rank == self_.role.index && part.first < part.last && part.last <= p.micro_batches) {
      own_parts_.push_back(part);
      covered_ += part.last - part.first;
      for (auto& node : tree.cover(part.first, part.last))
        mine_.push_back(node);
    }
  return true;
}

bool peer_core::take_push(const push_gradients& p) {
  auto known = std::any_of(buckets_.begin(), buckets_.end(), [&](auto& b) {
    return std::find(b.blocks.begin(), b.blocks.end(), p.block) != b.blocks.end();
  });
  auto ours = agent_ && p.from.role == agent_->role && p.from.incarnation == agent_->incarnation;
  if (!loaded_ || applying_ || p.at != version_ || !ours || p.from.is_void(rewound_) || !known ||
      p.micro_batches == 0 || !sum_tree{p.micro_batches}.valid(p.node) || !pushed_[p.block].insert(p.node).second) {
    ++dropped_;
    return false;
  }
  progress_ = true;
  return true;
}

std::vector<peer_core::assemble> peer_core::to_assemble() {
  auto result = std::vector<assemble>{};
  if (!plan_)
    return result;
  auto whole = [&](block_id block) {
    auto i = pushed_.find(block);
    return std::all_of(mine_.begin(), mine_.end(),
                       [&](auto& node) { return i != pushed_.end() && i->second.contains(node); });
  };
  for (uint32_t b = 0; b < buckets_.size(); ++b) {
    auto& blocks = buckets_[b].blocks;
    if (!assembling_.contains(b) && std::all_of(blocks.begin(), blocks.end(), whole)) {
      assembling_.insert(b);
      result.push_back({b, mine_});
    }
  }
  return result;
}

void peer_core::take_update() {
  version_ = version_.next();
  current_ = std::max(current_, version_);
  applying_ = false;
  pushed_.clear();
}

void peer_core::forget_plan() {
  plan_.reset();
  own_parts_.clear();
  mine_.clear();
  covered_ = 0;
  assembling_.clear();
}

} // namespace troupe
