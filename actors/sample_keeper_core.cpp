#include "actors/sample_keeper_core.hpp"

#include <algorithm>

namespace troupe {
namespace {

// A keeper that should have a shard soon is asked so often before the next one is.
constexpr size_t tries_ahead = 2;

} // namespace

// -- which shards -----------------------------------------------------------------------------------------------------

bool sample_keeper_core::is_needed(size_t shard) const {
  if (!epoch_)
    return false;
  return shard == needed_in(*epoch_) || (*epoch_ < config_.last_epoch && shard == needed_in(*epoch_ + 1));
}

// Where shards are handed round: the slot that had it in the epoch before that one and, in case that has given it up
// already, the slot that needs it next.
std::vector<uint32_t> sample_keeper_core::keepers_of(size_t shard, uint64_t epoch, bool ahead) const {
  auto result = std::vector<uint32_t>{};
  auto slots = config_.exchange.shards;
  auto add = [&](uint64_t in) {
    auto slot = static_cast<uint32_t>((shard + slots - in % slots) % slots);
    if (slot != config_.slot && std::find(result.begin(), result.end(), slot) == result.end())
      result.push_back(slot);
  };
  if (config_.exchange.kind != learn::exchange_kind::rotating)
    return result;
  if (epoch > 0)
    add(epoch - 1);
  if (!ahead && epoch < config_.last_epoch)
    add(epoch + 1);
  return result;
}

void sample_keeper_core::enter(uint64_t epoch, actions& out) {
  if (epoch_ == epoch)
    return;
  epoch_ = epoch;
  give_up_what_is_over(out);
  begin(needed_in(epoch), epoch, false, out);
  if (epoch < config_.last_epoch)
    begin(needed_in(epoch + 1), epoch + 1, true, out);
}

void sample_keeper_core::give_up_what_is_over(actions& out) {
  for (auto i = held_.begin(); i != held_.end();) {
    auto shard = *i;
    auto ids = ids_of(shard);
    auto just_done = epoch_ && *epoch_ > 0 && shard == needed_in(*epoch_ - 1);
    auto goes_on = just_done && *epoch_ <= config_.last_epoch && handed_on_[shard] < ids.last - ids.first;
    if (is_needed(shard) || goes_on) {
      ++i;
      continue;
    }
    i = held_.erase(i);
    handed_on_.erase(shard);
    out.emplace_back(drop{shard});
  }
  for (auto i = transfers_.begin(); i != transfers_.end();) {
    auto shard = i->first;
    if (is_needed(shard)) {
      ++i;
      continue;
    }
    i = transfers_.erase(i);
    std::erase_if(under_way_, [&](auto& x) { return x.second.shard == shard; });
    out.emplace_back(drop{shard});
  }
}

void sample_keeper_core::begin(size_t shard, uint64_t epoch, bool ahead, actions& out) {
  if (held_.contains(shard))
    return;
  auto [i, fresh] = transfers_.try_emplace(shard);
  auto& t = i->second;
  if (!fresh) { // it was fetched ahead, and is needed now
    t.ahead = t.ahead && ahead;
    t.paused = false;
    return;
  }
  auto ids = ids_of(shard);
  if (ids.first == ids.last) { // there are more shards than samples
    transfers_.erase(i);
    return;
  }
  t.ahead = ahead;
  t.keepers = keepers_of(shard, epoch, ahead);
  t.next = ids.first;
  t.left = ids.last - ids.first;
  out.emplace_back(open{shard});
}

sample_keeper_core::actions sample_keeper_core::on_opened(size_t shard, bool complete) {
  auto out = actions{};
  auto t = transfers_.find(shard);
  if (t == transfers_.end() || t->second.opened) {
    ++dropped_;
    return out;
  }
  t->second.opened = true;
  if (complete)
    finish(shard, out);
  ask_for_more(out);
  return out;
}

void sample_keeper_core::finish(size_t shard, actions& out) {
  transfers_.erase(shard);
  held_.insert(shard);
  out.emplace_back(keep{shard});
  out.emplace_back(tell{});
}

// -- what the agent needs ---------------------------------------------------------------------------------------------

size_t sample_keeper_core::shard_with(uint32_t id) const {
  auto shard = static_cast<size_t>(id) * config_.exchange.shards / config_.samples;
  while (ids_of(shard).last <= id)
    ++shard;
  while (ids_of(shard).first > id)
    --shard;
  return shard;
}

sample_keeper_core::actions sample_keeper_core::on_need(const need_samples& what) {
  auto out = actions{};
  if (what.epoch > config_.last_epoch) {
    ++dropped_;
    return out;
  }
  at_ = what.at;
  out.emplace_back(forget{what.applied});
  std::erase_if(singles_, [&](auto& x) {
    auto over = !x.of_test && x.at < what.applied;
    for (auto id : x.ids)
      if (over)
        asked_.erase({x.of_test, id});
    return over;
  });
  enter(what.epoch, out);
  auto now_here = false;
  auto ids = std::vector<uint32_t>{};
  for (auto id : what.ids) {
    if (!what.of_test) {
      auto shard = shard_with(id);
      now_here = now_here || held_.contains(shard);
      if (auto t = transfers_.find(shard); t != transfers_.end()) { // it comes with that, but sooner
        t->second.ahead = false;
        t->second.paused = false;
        continue;
      }
      if (held_.contains(shard))
        continue;
    }
    if (asked_.insert({what.of_test, id}).second)
      ids.push_back(id);
  }
  for (size_t i = 0; i < ids.size(); i += config_.piece)
    singles_.push_back({what.of_test,
                        what.at,
                        {ids.begin() + static_cast<ptrdiff_t>(i),
                         ids.begin() + static_cast<ptrdiff_t>(std::min(i + config_.piece, ids.size()))}});
  if (now_here)
    out.emplace_back(tell{});
  ask_for_more(out);
  return out;
}

// -- asking -----------------------------------------------------------------------------------------------------------

// What the agent waits for goes first; what is for the next epoch leaves some of the way free.
void sample_keeper_core::ask_for_more(actions& out) {
  while (under_way_.size() < most_pieces)
    if (!ask_for_single(out) && !ask_for_piece(false, out) && !ask_for_piece(true, out))
      return;
}

bool sample_keeper_core::ask_for_single(actions& out) {
  if (singles_.empty() || source_waits_)
    return false;
  auto what = std::move(singles_.front());
  singles_.pop_front();
  out.emplace_back(ask{++numbers_, std::nullopt, what.at, what.of_test, {}, what.ids});
  under_way_.emplace(numbers_, piece{std::nullopt, std::nullopt, {}, std::move(what)});
  return true;
}

bool sample_keeper_core::ask_for_piece(bool ahead, actions& out) {
  auto background = std::count_if(under_way_.begin(), under_way_.end(), [&](auto& x) {
    auto t = x.second.shard ? transfers_.find(*x.second.shard) : transfers_.end();
    return t != transfers_.end() && t->second.ahead;
  });
  if (ahead && static_cast<size_t>(background) >= most_pieces_ahead)
    return false;
  for (auto& [shard, t] : transfers_) {
    auto end = ids_of(shard).last;
    auto asks_source = t.keepers.empty();
    if (t.ahead != ahead || !t.opened || t.paused || (asks_source && source_waits_) ||
        (t.again.empty() && t.next == end))
      continue;
    auto range = learn::id_range{t.next, std::min(t.next + config_.piece, end)};
    if (t.again.empty()) {
      t.next = range.last;
    } else {
      range = t.again.front();
      t.again.pop_front();
    }
    auto keeper = asks_source ? std::nullopt : std::optional{t.keepers.front()};
    out.emplace_back(ask{++numbers_, keeper, at_, false, range, {}, ahead});
    under_way_.emplace(numbers_, piece{shard, keeper, range, {}});
    return true;
  }
  return false;
}

sample_keeper_core::actions sample_keeper_core::on_arrived(uint64_t number) {
  auto out = actions{};
  auto found = under_way_.extract(number);
  if (!found) {
    ++dropped_;
    return out;
  }
  auto& p = found.mapped();
  if (!p.shard) {
    for (auto id : p.what.ids)
      asked_.erase({p.what.of_test, id});
    out.emplace_back(tell{});
  } else {
    auto& t = transfers_.at(*p.shard);
    t.failures = 0;
    t.left -= p.range.last - p.range.first;
    if (t.left == 0)
      finish(*p.shard, out);
  }
  ask_for_more(out);
  return out;
}

sample_keeper_core::actions sample_keeper_core::on_failed(uint64_t number) {
  auto out = actions{};
  auto found = under_way_.extract(number);
  if (!found) {
    ++dropped_;
    return out;
  }
  auto& p = found.mapped();
  if (!p.keeper)
    source_waits_ = true;
  if (!p.shard) {
    singles_.push_front(std::move(p.what));
    return out;
  }
  auto& t = transfers_.at(*p.shard);
  t.again.push_back(p.range);
  if (p.keeper && !t.keepers.empty() && t.keepers.front() == *p.keeper) {
    t.paused = t.ahead; // there is time: it may have it soon
    if (!t.ahead)
      ask_the_next(t);
  }
  ask_for_more(out);
  return out;
}

sample_keeper_core::actions sample_keeper_core::on_tick() {
  for (auto& [shard, t] : transfers_)
    if (t.paused && ++t.failures >= tries_ahead)
      ask_the_next(t);
  return on_bound();
}

sample_keeper_core::actions sample_keeper_core::on_bound() {
  auto out = actions{};
  source_waits_ = false;
  for (auto& [shard, t] : transfers_)
    t.paused = false;
  ask_for_more(out);
  return out;
}

void sample_keeper_core::ask_the_next(transfer& t) {
  if (!t.keepers.empty())
    t.keepers.erase(t.keepers.begin());
  t.failures = 0;
}

// -- what others ask for ----------------------------------------------------------------------------------------------

// Before its agent has said where it is, a keeper does not know what it will have. Two of which each waits for the
// other's shard would wait for ever: so who needs a piece at once does not wait.
sample_keeper_core::answer sample_keeper_core::answer_to(const request_samples& what) const {
  if (what.of_test || !what.ids.empty() || what.first >= what.last || what.last > config_.samples ||
      what.last - what.first > config_.piece)
    return answer::elsewhere;
  auto shard = shard_with(static_cast<uint32_t>(what.first));
  if (what.last > ids_of(shard).last)
    return answer::elsewhere;
  if (held_.contains(shard))
    return answer::here;
  return what.can_wait && (!epoch_ || transfers_.contains(shard)) ? answer::later : answer::elsewhere;
}

sample_keeper_core::actions sample_keeper_core::on_served(const request_samples& what) {
  auto out = actions{};
  auto slots = config_.exchange.shards;
  auto shard = shard_with(static_cast<uint32_t>(what.first));
  if (what.from.index == (config_.slot + slots - 1) % slots && held_.contains(shard)) {
    handed_on_[shard] += what.last - what.first;
    give_up_what_is_over(out);
  }
  return out;
}

} // namespace troupe
