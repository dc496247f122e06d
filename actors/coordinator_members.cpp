// Who takes part in a run, and what becomes of it when somebody goes or comes back.

#include <algorithm>
#include <fmt/format.h>

#include "actors/coordinator_core.hpp"
#include "messages/canary.hpp"

namespace troupe {

void coordinator_core::publish_view(actions& out) {
  log().view = log().view.next();
  tell_view(out);
}

// Agents come last: what they ask the others for upon a view, these know of by then.
void coordinator_core::tell_view(actions& out) const {
  auto list = std::vector<member>{};
  for (auto& [role, m] : members_)
    list.push_back(m);
  auto to = list;
  std::stable_partition(to.begin(), to.end(), [](auto& m) { return m.role.kind != "agent"; });
  out.emplace_back(publish{{log().view, current_, std::move(list), log().rewound}, std::move(to)});
}

coordinator_core::actions coordinator_core::on_join(const join& j) {
  auto out = actions{};
  if (phase_ == phase::finished)
    return out;
  auto& highest = log().highest[j.who.role];
  if (j.who.incarnation < highest) { // a zombie (I15)
    ++dropped_;
    return out;
  }
  highest = j.who.incarnation;
  auto i = members_.find(j.who.role);
  auto known = i != members_.end() && i->second == j.who;
  members_[j.who.role] = j.who;
  auto holder = j.who.role.kind == "shard_holder";
  if (holder) {
    holds_.erase(j.who.role.index);
    if (j.loaded)
      holds_[j.who.role.index] = j.version;
  }
  if (phase_ == phase::gathering) {
    begin_if_gathered(out);
    return out;
  }
  if (phase_ != phase::running) { // what it holds does not matter: it is loaded next
    if (holder && phase_ == phase::loading && !known) {
      loaded_.erase(j.who.role.index);
      tell_view(out);
      out.emplace_back(load{j.who.role.index, current_});
    }
    return out;
  }
  if (known) { // somebody missed something, perhaps the view: the same one again to everyone
    tell_view(out);
    return out;
  }
  if (holder) // the sums of its earlier incarnation are gone: the step waits for new ones
    for (auto& b : summed_[j.who.role.index])
      norms_.erase(b);
  publish_view(out);
  if (holder)
    lost_parameters(j, out);
  hand_out_tests(out);
  return out;
}

void coordinator_core::begin_if_gathered(actions& out) {
  auto count = [&](std::string_view kind) {
    return static_cast<uint32_t>(
      std::count_if(members_.begin(), members_.end(), [&](auto& x) { return x.first.kind == kind; }));
  };
  auto agents_needed = log().begun ? 1 : config_.agents; // of a run that is under way the others join as they come
  if (count("agent") < agents_needed || count("shard_holder") < config_.shards || count("data_broker") < 1)
    return;
  if (log().begun) {
    take_over(out);
    return;
  }
  phase_ = phase::loading;
  for (uint32_t shard = 0; shard < config_.shards; ++shard)
    out.emplace_back(load{shard, current_});
}

// Another coordinator led this run before. Every shard is at the current step, or short of its commit, which is said
// again.
void coordinator_core::take_over(actions& out) {
  phase_ = phase::running;
  publish_view(out);
  for (uint32_t shard = 0; shard < config_.shards; ++shard) {
    auto held = holds_.find(shard);
    auto j =
      join{members_.at({"shard_holder", shard}), held == holds_.end() ? step{} : held->second, held != holds_.end()};
    lost_parameters(j, out);
    if (phase_ != phase::running)
      return;
  }
  if (log().last) {
    out.emplace_back(commit{*log().last});
    out.emplace_back(committed{{log().view, log().last->at}});
    auto before = log().last->at;
    if (config_.test_samples > 0 && current_ > log().tested &&
        (epoch_of(current_) != epoch_of(before) || current_.value >= last_step_))
      begin_test(current_, epoch_of(before) + 1, out);
  }
  end_if_done(out);
}

// A shard that comes back with the parameters of the current step, or of the one before whose commit it missed, goes
// on. From anything else there is no way but back.
void coordinator_core::lost_parameters(const join& j, actions& out) {
  if (j.loaded && j.version == current_)
    return;
  if (j.loaded && log().last && j.version == log().last->at)
    behind_[j.who.role.index] = 0;
  else
    rewind(fmt::format("{} lost its parameters", to_string(j.who.role)), out);
}

void coordinator_core::rewind(const std::string& why, actions& out) {
  if (log().rewinds++ == max_rewinds) {
    phase_ = phase::finished;
    out.emplace_back(give_up{
      fmt::format("{} at step {}, after going back {} times without getting any further: continue from the last "
                  "checkpoint with --resume",
                  why, current_.value + 1, max_rewinds)});
    return;
  }
  phase_ = phase::restoring;
  results_.clear();
  norms_.clear();
  behind_.clear();
  loaded_.clear();
  round_.reset();
  log().last.reset();
  out.emplace_back(
    note{fmt::format("{} at step {}: the run goes back to its last checkpoint", why, current_.value + 1)});
  out.emplace_back(restore{});
}

coordinator_core::actions coordinator_core::on_restored(step version) {
  auto out = actions{};
  if (phase_ != phase::restoring)
    return out;
  phase_ = phase::loading;
  current_ = log().current = version;
  log().view = log().view.next();
  log().rewound = log().view;
  out.emplace_back(account{ledger_rewind{version, log().view}});
  tell_view(out);
  for (uint32_t shard = 0; shard < config_.shards; ++shard)
    out.emplace_back(load{shard, current_});
  return out;
}

coordinator_core::actions coordinator_core::on_loaded(uint32_t shard) {
  auto out = actions{};
  loaded_.insert(shard);
  if (phase_ != phase::loading || loaded_.size() < config_.shards)
    return out;
  phase_ = phase::running;
  log().begun = true;
  log().current = current_;
  if (current_.value >= last_step_) // a finished run was resumed
    end_if_done(out);
  else
    publish_view(out);
  return out;
}

coordinator_core::actions coordinator_core::on_load_lost(uint32_t shard) {
  auto out = actions{};
  if (phase_ == phase::loading && !loaded_.contains(shard) && members_.contains({"shard_holder", shard}))
    out.emplace_back(load{shard, current_});
  return out;
}

void coordinator_core::end_if_done(actions& out) {
  auto done = current_.value + (planted(canary::epoch_ends_too_early) ? 1 : 0);
  if (done >= last_step_ && !round_)
    end(config_.steps != 0 && last_step_ == config_.steps ? stop_cause::steps_done : stop_cause::epochs_done, out);
}

coordinator_core::actions coordinator_core::on_lost(const member& who) {
  auto out = actions{};
  auto i = members_.find(who.role);
  if (i == members_.end() || i->second != who)
    return out; // late news of an old incarnation
  members_.erase(i);
  if (phase_ != phase::running)
    return out;
  publish_view(out);
  if (round_)
    for (auto& [first, work] : round_->open)
      if (work.second == who)
        work.second.reset();
  hand_out_tests(out);
  return out;
}

} // namespace troupe
