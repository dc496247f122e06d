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

ring_core::ring_core(member self, std::vector<ring_bucket> buckets, all_reduce_options how)
  : peer_core(std::move(self), std::move(buckets)), how_(how) {
  for (auto& b : buckets_)
    floats_ += b.size;
}

// Nothing more goes into it.
bool ring_core::chunk_work::whole() const {
  return std::all_of(exchanges.begin() + static_cast<ptrdiff_t>(done), exchanges.end(),
                     [](auto& e) { return e.what == exchange::kind::send; });
}

// Nothing more is added to what is on top: what comes is its neighbours, or nothing.
bool ring_core::chunk_work::summed() const {
  for (auto i = done; i < exchanges.size(); ++i)
    if (exchanges[i].what == exchange::kind::add ||
        (exchanges[i].what == exchange::kind::take &&
         (i + 1 == exchanges.size() || exchanges[i + 1].what != exchange::kind::join)))
      return false;
  return true;
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

ring_core::actions ring_core::on_assembled(view since, uint32_t bucket, const std::vector<payload>& own) {
  auto out = actions{};
  if (since != since_ || !plan_ || peers_.empty() || !assembled_.try_emplace(bucket, own).second)
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
    if (peers_.empty() || c.bucket >= buckets_.size() || c.chunk >= chunks() || c.values.type() != dtype::f32)
      return false;
    auto& work = work_on(c.bucket, c.chunk);
    auto sender = member{c.from.role, c.from.incarnation};
    return std::any_of(work.exchanges.begin() + static_cast<ptrdiff_t>(work.done), work.exchanges.end(), [&](auto& e) {
      return e.what == exchange::kind::take && e.round == c.round && peers_[e.peer] == sender &&
             c.values.elements() == range_of(c.bucket, c.chunk, e.first, e.last).size();
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

chunk_range ring_core::range_of(uint32_t bucket, uint32_t chunk, uint32_t first, uint32_t last) const {
  auto size = buckets_[bucket].size;
  auto pieces = pieces_of(schedule(), peers());
  if (pieces == 1)
    return chunk_range::of(size, chunks(), chunk);
  return {chunk_range::of(size, pieces, first).first, chunk_range::of(size, pieces, last - 1).last};
}

payload ring_core::cut(uint32_t bucket, uint32_t chunk, const held& of, uint32_t first, uint32_t last) const {
  auto all = range_of(bucket, chunk, of.first, of.last);
  auto some = range_of(bucket, chunk, first, last);
  return of.values.part(some.first - all.first, some.size());
}

ring_core::held ring_core::own(uint32_t bucket, uint32_t chunk, uint32_t number) const {
  auto pieces = pieces_of(schedule(), peers());
  auto range = range_of(bucket, chunk, 0, pieces);
  auto covered = covered_;
  if (auto tree = sum_tree{plan_->micro_batches}; keeps_nodes_apart())
    covered = tree.last(mine_[number]) - tree.first(mine_[number]);
  return {assembled_.at(bucket)[number].part(range.first, range.size()), covered, 0, pieces};
}

// As far as what has come allows.
void ring_core::go_on(uint32_t bucket, uint32_t chunk, actions& out) {
  auto& work = work_on(bucket, chunk);
  while (!work.busy) {
    if (work.whole() && work.pile.back().covered != plan_->micro_batches) {
      ++dropped_; // a sum with something missing is none (R4)
      return;
    }
    if (work.done == work.exchanges.size()) {
      auto& sum = work.pile.back();
      out.emplace_back(complete{bucket, chunk, sum.values, range_of(bucket, chunk, sum.first, sum.last)});
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
      work.pile.push_back({std::move(came.mapped().values), came.mapped().covered, e.first, e.last});
      break;
    }
    case exchange::kind::send: {
      auto& top = work.pile.back();
      sent_.push_back(
        {peers_[e.peer],
         {from(), version_, since_, e.round, bucket, chunk, top.covered, cut(bucket, chunk, top, e.first, e.last)}});
      out.emplace_back(sent_.back());
      break;
    }
    case exchange::kind::add:
    case exchange::kind::join:
      ++work.done;
      work.busy = true;
      return combine(bucket, chunk, out);
    }
    ++work.done;
  }
}

// The two on top of the pile, which become one when that is done.
void ring_core::combine(uint32_t bucket, uint32_t chunk, actions& out) {
  auto& work = work_on(bucket, chunk);
  auto right = std::move(work.pile.back());
  work.pile.pop_back();
  auto& left = work.pile.back();
  if (work.exchanges[work.done - 1].what == exchange::kind::add) {
    auto where = range_of(bucket, chunk, right.first, right.last);
    auto there = cut(bucket, chunk, left, right.first, right.last);
    left = {{}, left.covered + right.covered, right.first, right.last};
    out.emplace_back(reduce{bucket, chunk, std::move(there), std::move(right.values), where, work.summed()});
    return;
  }
  if (right.first < left.first)
    std::swap(left, right);
  auto both = held{{}, std::min(left.covered, right.covered), left.first, right.last};
  auto where = range_of(bucket, chunk, both.first, both.last);
  out.emplace_back(join{bucket, chunk, std::move(left.values), std::move(right.values), where});
  left = std::move(both);
}

ring_core::actions ring_core::on_reduced(view since, step at, uint32_t bucket, uint32_t chunk, payload values) {
  auto out = actions{};
  if (since != since_ || at != version_ || !plan_)
    return out; // begun before the ring was formed again
  auto& work = work_on(bucket, chunk);
  work.pile.back().values = std::move(values);
  work.busy = false;
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
