#include "actors/ring_core.hpp"

#include <algorithm>
#include <iterator>

namespace troupe {
namespace {

// Chunks of a ring, step or plan that is not known here yet (R13): a whole step of a large model.
constexpr size_t max_early = 65536;
// A chunk begins where a vector of floats is aligned.
constexpr size_t grain = 16;

} // namespace

chunk_range chunk_range::of(size_t size, uint32_t chunks, uint32_t index) {
  auto grains = (size + grain - 1) / grain;
  return {std::min(size, grains * index / chunks * grain), std::min(size, grains * (index + 1) / chunks * grain)};
}

ring_core::ring_core(member self, std::vector<ring_bucket> buckets, std::optional<all_reduce_schedule> how)
  : peer_core(std::move(self), std::move(buckets)), how_(how) {
  for (auto& b : buckets_)
    floats_ += b.size;
}

// Nothing more goes into it.
bool ring_core::chunk_work::whole() const {
  return std::all_of(exchanges.begin() + static_cast<ptrdiff_t>(done), exchanges.end(),
                     [](auto& e) { return e.what == exchange::kind::send; });
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
  contributions_.clear();
  assembled_.clear();
  work_.clear();
  parked_.clear();
  sent_.clear();
  incomplete_ = buckets_.size() * chunks();
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
  if (!take_plan(p))
    return out;
  if (keeps_nodes_apart()) {
    auto all = contributions(p);
    if (!all) {
      forget_plan(); // a part of it is nobody's here; the next view brings another plan
      return out;
    }
    contributions_ = std::move(*all);
    replay_early(out);
  }
  assemble_what_is_there(out);
  return out;
}

// The nodes of the tree that make up the step, from its first micro-batch to its last, and the places of those who have
// them.
std::optional<std::vector<contribution>> ring_core::contributions(const step_plan& p) const {
  auto result = std::vector<contribution>{};
  auto tree = sum_tree{p.micro_batches};
  for (auto& part : p.parts) {
    auto who = std::find_if(peers_.begin(), peers_.end(), [&](auto& m) { return m.role.index == part.rank; });
    if (who == peers_.end() || part.first > part.last || part.last > p.micro_batches)
      return std::nullopt;
    for (auto& node : tree.cover(part.first, part.last))
      result.push_back({node, static_cast<uint32_t>(who - peers_.begin())});
  }
  std::sort(result.begin(), result.end(), [&](auto& a, auto& b) { return tree.first(a.node) < tree.first(b.node); });
  auto covered = uint64_t{0};
  for (auto& c : result)
    if (tree.first(c.node) != std::exchange(covered, tree.last(c.node)))
      return std::nullopt;
  return result;
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

ring_core::actions ring_core::on_assembled(view since, uint32_t bucket, std::vector<payload> own) {
  auto out = actions{};
  if (since != since_ || !plan_ || peers_.empty() || !assembled_.try_emplace(bucket, std::move(own)).second)
    return out;                            // begun before the ring was formed again
  for (uint32_t i = 1; i <= chunks(); ++i) // not all peers begin with the same one
    go_on(bucket, (place_ + i) % chunks(), out);
  return out;
}

// -- chunks -----------------------------------------------------------------------------------------------------------

ring_core::actions ring_core::on_chunk(const ring_chunk& c) {
  auto out = actions{};
  auto key = chunk_key{c.bucket, c.chunk, c.round};
  if (c.from.is_void(rewound_) || (loaded_ && c.at < version_) || c.crew_since < since_) {
    ++dropped_;
    return out;
  }
  if (!loaded_ || applying_ || c.at > version_ || c.crew_since > since_ || waits_for_plan()) {
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
  if (!loaded_ || applying_ || waits_for_plan())
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
  auto fresh = [&] {
    if (peers_.empty() || c.bucket >= buckets_.size() || c.chunk >= chunks())
      return false;
    auto range = chunk_range::of(buckets_[c.bucket].size, chunks(), c.chunk);
    if (c.values.type() != dtype::f32 || c.values.elements() != range.last - range.first)
      return false;
    auto& work = work_on(c.bucket, c.chunk);
    auto sender = member{c.from.role, c.from.incarnation};
    return std::any_of(work.exchanges.begin() + static_cast<ptrdiff_t>(work.done), work.exchanges.end(), [&](auto& e) {
      return e.what == exchange::kind::take && e.round == c.round && peers_[e.peer] == sender;
    });
  };
  if (!fresh() || !parked_.emplace(chunk_key{c.bucket, c.chunk, c.round}, c).second) {
    ++dropped_;
    return;
  }
  progress_ = true;
  if (assembled_.contains(c.bucket))
    go_on(c.bucket, c.chunk, out);
}

ring_core::chunk_work& ring_core::work_on(uint32_t bucket, uint32_t chunk) {
  auto [i, added] = work_.try_emplace({bucket, chunk});
  if (added)
    i->second.exchanges = keeps_nodes_apart()
                            ? pairwise_exchanges(sum_tree{plan_->micro_batches}, contributions_, peers(), place_, chunk)
                            : exchanges_of(schedule(), peers(), place_, chunk);
  return i->second;
}

ring_core::held ring_core::own(uint32_t bucket, uint32_t chunk, uint32_t number) const {
  auto range = chunk_range::of(buckets_[bucket].size, chunks(), chunk);
  auto covered = covered_;
  if (auto tree = sum_tree{plan_->micro_batches}; keeps_nodes_apart())
    covered = tree.last(mine_[number]) - tree.first(mine_[number]);
  return {assembled_.at(bucket)[number].part(range.first, range.last - range.first), covered};
}

// As far as what has come allows.
void ring_core::go_on(uint32_t bucket, uint32_t chunk, actions& out) {
  auto& work = work_on(bucket, chunk);
  if (work.adding)
    return;
  while (!work.adding) {
    if (work.whole() && work.pile.back().covered != plan_->micro_batches) {
      ++dropped_; // a sum with something missing is none (R4)
      return;
    }
    if (work.done == work.exchanges.size()) {
      out.emplace_back(complete{bucket, chunk, work.pile.back().values});
      if (--incomplete_ == 0)
        out.emplace_back(measure{version_});
      return;
    }
    auto& e = work.exchanges[work.done];
    switch (e.what) {
    case exchange::kind::own:
      work.pile.push_back(own(bucket, chunk, e.part));
      break;
    case exchange::kind::take: {
      auto came = parked_.extract(chunk_key{bucket, chunk, e.round});
      if (came.empty())
        return;
      work.pile.push_back({std::move(came.mapped().values), came.mapped().covered});
      break;
    }
    case exchange::kind::send: {
      auto& top = work.pile.back();
      sent_.push_back({peers_[e.peer], {from(), version_, since_, e.round, bucket, chunk, top.covered, top.values}});
      out.emplace_back(sent_.back());
      break;
    }
    case exchange::kind::add:
      work.adding = true;
      break;
    }
    ++work.done;
  }
  auto& left = work.pile[work.pile.size() - 2];
  out.emplace_back(reduce{bucket, chunk, left.values, work.pile.back().values, work.whole()});
}

ring_core::actions ring_core::on_reduced(view since, step at, uint32_t bucket, uint32_t chunk, payload values) {
  auto out = actions{};
  if (since != since_ || at != version_ || !plan_)
    return out; // begun before the ring was formed again
  auto& work = work_on(bucket, chunk);
  auto right = std::move(work.pile.back());
  work.pile.pop_back();
  work.pile.back() = {std::move(values), work.pile.back().covered + right.covered};
  work.adding = false;
  go_on(bucket, chunk, out);
  return out;
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
  auto out = actions{};
  std::copy_if(sent_.begin(), sent_.end(), std::back_inserter(out), [&](auto& s) { return s.to == who; });
  return out;
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
