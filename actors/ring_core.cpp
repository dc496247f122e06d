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
  if (!take_model(version, since))
    return false;
  start_over_if_begun(out);
  replay_early(out);
  return true;
}

ring_core::actions ring_core::on_view(const view_changed& v) {
  auto out = actions{};
  auto news = take_view(v);
  if (news.stale)
    return out;
  if (news.went_back) {
    empty_step();
    out.emplace_back(start_over{});
  }
  if (news.new_crew) {
    start_over_if_begun(out);
    replay_early(out);
  }
  catch_up(v.current, out);
  return out;
}

void ring_core::catch_up(step current, actions& out) {
  if (auto from = behind(current))
    out.emplace_back(*from);
}

void ring_core::empty_step() {
  forget_plan();
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
  if (takes_part())
    out.emplace_back(ask_plan{version_});
}

// -- the own part -----------------------------------------------------------------------------------------------------

ring_core::actions ring_core::on_plan(const step_plan& p) {
  auto out = actions{};
  if (take_plan(p))
    assemble_what_is_there(out);
  return out;
}

bool ring_core::on_push(const push_gradients& p, actions& out) {
  if (!take_push(p))
    return false;
  assemble_what_is_there(out);
  return true;
}

void ring_core::assemble_what_is_there(actions& out) {
  for (auto& a : to_assemble())
    out.emplace_back(std::move(a));
}

ring_core::actions ring_core::on_assembled(view since, uint32_t bucket) {
  auto out = actions{};
  if (since != since_ || !plan_ || !assembled_.insert(bucket).second)
    return out; // begun before the ring was formed again
  auto w = static_cast<uint32_t>(peers_.size());
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
  auto w = static_cast<uint32_t>(peers_.size());
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
  if (++complete_ == buckets_.size() * peers_.size())
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
  auto same_sum = c.crew_since == since_ || peers_.size() == 1;
  if (!loaded_ || applying_ || c.version != version_ || c.view < rewound_ || !same_sum || !summed()) {
    ++dropped_;
    return false;
  }
  applying_ = true;
  return true;
}

ring_core::actions ring_core::on_applied() {
  auto out = actions{};
  take_update();
  empty_step();
  out.emplace_back(ask_plan{version_});
  replay_early(out);
  return out;
}

ring_core::actions ring_core::on_bound(const member& who) const {
  return peers_.size() > 1 && who == next() ? actions(sent_.begin(), sent_.end()) : actions{};
}

ring_core::actions ring_core::on_tick() {
  auto out = actions{};
  if (std::exchange(progress_, false) || applying_)
    return out;
  if (!loaded_ || version_ < current_) {
    catch_up(current_, out);
    return out;
  }
  if (!plan_ && !peers_.empty())
    out.emplace_back(ask_plan{version_});
  for (auto& s : sent_)
    out.emplace_back(s);
  return out;
}

} // namespace troupe
