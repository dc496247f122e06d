#include "actors/ring_core.hpp"

#include <algorithm>

namespace troupe {
namespace {

// Chunks of a ring or step that is not known here yet (R13): a whole step of a large model.
constexpr size_t max_early = 65536;
// A chunk begins where a vector of floats is aligned.
constexpr size_t grain = 16;

} // namespace

chunk_range chunk_range::of(size_t size, uint32_t chunks, uint32_t index) {
  auto grains = (size + grain - 1) / grain;
  return {std::min(size, grains * index / chunks * grain), std::min(size, grains * (index + 1) / chunks * grain)};
}

// -- membership and parameters ----------------------------------------------------------------------------------------

bool ring_core::on_loaded(step version, view since, actions& out) {
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
  start_over_if_begun(out);
  replay_early(out);
  return true;
}

ring_core::actions ring_core::on_view(const view_changed& v) {
  auto out = actions{};
  if (v.number < view_ || v.number < rewound_) {
    ++dropped_;
    return out;
  }
  if (v.rewound > rewound_) {
    rewound_ = v.rewound;
    loaded_ = applying_ = false;
    current_ = {};
    pushed_.clear();
    empty_step();
    out.emplace_back(start_over{});
  }
  if (v.number > view_) {
    view_ = v.number;
    progress_ = true;
    ring_.clear();
    agent_.reset();
    for (auto& m : v.members)
      if (m.role.kind == self_.role.kind)
        ring_.push_back(m);
      else if (m.role == role_id{"agent", self_.role.index})
        agent_ = m;
    std::sort(ring_.begin(), ring_.end());
    auto here = std::find(ring_.begin(), ring_.end(), self_);
    place_ = static_cast<uint32_t>(here - ring_.begin());
    if (here == ring_.end())
      ring_.clear(); // fenced, or not taken in yet
    if (v.crew_since > since_) {
      since_ = v.crew_since;
      start_over_if_begun(out);
      replay_early(out);
    }
  }
  catch_up(v.current, out);
  return out;
}

// From a peer that is not where this one is: none is as good as the next.
void ring_core::catch_up(step current, actions& out) {
  current_ = std::max(current_, current);
  if (ring_.size() < 2 || applying_ || (loaded_ && version_ >= current_))
    return;
  donor_ = donor_ % static_cast<uint32_t>(ring_.size() - 1) + 1;
  out.emplace_back(fetch_model{ring_[(place_ + donor_) % ring_.size()], current_});
}

void ring_core::empty_step() {
  plan_.reset();
  mine_.clear();
  covered_ = 0;
  assembling_.clear();
  assembled_.clear();
  seen_.clear();
  parked_.clear();
  sent_.clear();
  complete_ = 0;
  norms_.clear();
}

// What the agent has pushed stays; who adds what to the sum is asked anew.
void ring_core::start_over_if_begun(actions& out) {
  empty_step();
  out.emplace_back(start_over{});
  if (loaded_ && !ring_.empty())
    out.emplace_back(ask_plan{version_});
}

// -- the own part -----------------------------------------------------------------------------------------------------

ring_core::actions ring_core::on_plan(const step_plan& p) {
  auto out = actions{};
  if (!loaded_ || applying_ || p.at != version_ || p.crew_since != since_ || plan_ || p.micro_batches == 0) {
    ++dropped_;
    return out;
  }
  uint64_t leased = 0;
  for (auto& part : p.parts)
    leased += part.last - std::min(part.first, part.last);
  if (leased != p.micro_batches)
    return out; // no agent is there for some of it; the next view brings another plan
  progress_ = true;
  plan_ = p;
  auto tree = sum_tree{p.micro_batches};
  for (auto& part : p.parts)
    if (part.rank == self_.role.index && part.first < part.last && part.last <= p.micro_batches) {
      covered_ += part.last - part.first;
      for (auto& node : tree.cover(part.first, part.last))
        mine_.push_back(node);
    }
  assemble_what_is_there(out);
  return out;
}

bool ring_core::on_push(const push_gradients& p, actions& out) {
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
  assemble_what_is_there(out);
  return true;
}

void ring_core::assemble_what_is_there(actions& out) {
  if (!plan_)
    return;
  for (uint32_t b = 0; b < buckets_.size(); ++b) {
    auto whole = [&](block_id block) {
      auto i = pushed_.find(block);
      return std::all_of(mine_.begin(), mine_.end(),
                         [&](auto& node) { return i != pushed_.end() && i->second.contains(node); });
    };
    auto& blocks = buckets_[b].blocks;
    if (!assembling_.contains(b) && std::all_of(blocks.begin(), blocks.end(), whole)) {
      assembling_.insert(b);
      out.emplace_back(assemble{b, mine_});
    }
  }
}

ring_core::actions ring_core::on_assembled(view since, uint32_t bucket) {
  auto out = actions{};
  if (since != since_ || !plan_ || !assembled_.insert(bucket).second)
    return out; // begun before the ring was formed again
  auto w = static_cast<uint32_t>(ring_.size());
  if (w == 1) {
    if (covered_ == plan_->micro_batches)
      completed(bucket, 0, {}, out);
    return out;
  }
  pass_on(false, bucket, (place_ + w - 1) % w, covered_, {}, out);
  for (uint32_t chunk = 0; chunk < w; ++chunk)
    if (auto i = parked_.find({bucket, chunk}); i != parked_.end()) {
      out.emplace_back(reduce{std::move(i->second)});
      parked_.erase(i);
    }
  return out;
}

// -- chunks -----------------------------------------------------------------------------------------------------------

ring_core::actions ring_core::on_chunk(const ring_chunk& c) {
  auto out = actions{};
  auto key = chunk_key{c.gather, c.bucket, c.chunk};
  if (c.from.is_void(rewound_) || (loaded_ && c.at < version_) || c.crew_since < since_) {
    ++dropped_;
    return out;
  }
  if (!loaded_ || applying_ || c.at > version_ || c.crew_since > since_) {
    if (early_.size() < max_early)
      early_.insert_or_assign(std::tuple{c.at, c.crew_since, key}, c);
    else
      ++dropped_;
    return out;
  }
  take(c, out);
  return out;
}

void ring_core::replay_early(actions& out) {
  if (!loaded_ || applying_)
    return;
  std::erase_if(early_, [&](auto& x) { return std::get<0>(x.first) < version_ || std::get<1>(x.first) < since_; });
  auto ready = std::vector<ring_chunk>{};
  for (auto& [key, c] : early_)
    if (c.at == version_ && c.crew_since == since_)
      ready.push_back(c);
  std::erase_if(early_, [&](auto& x) { return std::get<0>(x.first) == version_ && std::get<1>(x.first) == since_; });
  for (auto& c : ready)
    take(c, out);
}

void ring_core::take(const ring_chunk& c, actions& out) {
  auto w = static_cast<uint32_t>(ring_.size());
  auto expected =
    w > 1 && member{c.from.role, c.from.incarnation} == previous() && c.bucket < buckets_.size() && c.chunk < w;
  if (expected) {
    auto range = chunk_range::of(buckets_[c.bucket].size, w, c.chunk);
    expected = c.values.type() == dtype::f32 && c.values.elements() == range.last - range.first;
  }
  if (!expected || !seen_.insert({c.gather, c.bucket, c.chunk}).second) {
    ++dropped_;
    return;
  }
  progress_ = true;
  if (c.gather) {
    completed(c.bucket, c.chunk, c.values, out);
    if ((place_ + 1) % w != c.chunk) // the next one is its owner, who made it
      pass_on(true, c.bucket, c.chunk, c.covered, c.values, out);
  } else if (assembled_.contains(c.bucket)) {
    out.emplace_back(reduce{c});
  } else {
    parked_.insert_or_assign({c.bucket, c.chunk}, c);
  }
}

ring_core::actions ring_core::on_reduced(ring_chunk c) {
  auto out = actions{};
  if (c.crew_since != since_ || c.at != version_ || !plan_)
    return out; // begun before the ring was formed again
  c.covered += covered_;
  if (c.chunk != place_) {
    pass_on(false, c.bucket, c.chunk, c.covered, std::move(c.values), out);
  } else if (c.covered == plan_->micro_batches) {
    pass_on(true, c.bucket, c.chunk, c.covered, c.values, out);
    completed(c.bucket, c.chunk, std::move(c.values), out);
  } else {
    ++dropped_; // a sum with something missing is none (R4)
  }
  return out;
}

void ring_core::pass_on(bool gather, uint32_t bucket, uint32_t chunk, uint64_t covered, payload values, actions& out) {
  auto s = send{next(), {from(), version_, since_, gather, bucket, chunk, covered, std::move(values)}};
  sent_.push_back(s);
  out.emplace_back(std::move(s));
}

void ring_core::completed(uint32_t bucket, uint32_t chunk, payload values, actions& out) {
  out.emplace_back(complete{bucket, chunk, std::move(values)});
  if (++complete_ == buckets_.size() * ring_.size())
    out.emplace_back(measure{version_});
}

// -- the step ---------------------------------------------------------------------------------------------------------

bool ring_core::on_norms(view since, step at, std::vector<block_norm> norms) {
  if (since != since_ || at != version_ || !plan_)
    return false;
  norms_ = std::move(norms);
  return true;
}

// Of another ring's sum this peer has nothing, unless it is alone: then there is only one.
bool ring_core::on_commit(const commit_step& c) {
  auto same_sum = c.crew_since == since_ || ring_.size() == 1;
  if (!loaded_ || applying_ || c.version != version_ || c.view < rewound_ || !same_sum || !summed()) {
    ++dropped_;
    return false;
  }
  applying_ = true;
  return true;
}

ring_core::actions ring_core::on_applied() {
  auto out = actions{};
  version_ = version_.next();
  current_ = std::max(current_, version_);
  applying_ = false;
  pushed_.clear();
  empty_step();
  out.emplace_back(ask_plan{version_});
  replay_early(out);
  return out;
}

ring_core::actions ring_core::on_bound(const member& who) const {
  return ring_.size() > 1 && who == next() ? actions(sent_.begin(), sent_.end()) : actions{};
}

ring_core::actions ring_core::on_tick() {
  auto out = actions{};
  if (std::exchange(progress_, false) || applying_)
    return out;
  if (!loaded_ || version_ < current_) {
    catch_up(current_, out);
    return out;
  }
  if (!plan_ && !ring_.empty())
    out.emplace_back(ask_plan{version_});
  for (auto& s : sent_)
    out.emplace_back(s);
  return out;
}

} // namespace troupe
