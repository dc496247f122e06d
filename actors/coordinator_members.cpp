// Who takes part in a run, and what becomes of it when somebody goes or comes back.

#include <algorithm>
#include <fmt/format.h>

#include "actors/coordinator_core.hpp"
#include "messages/canary.hpp"

namespace troupe {

namespace {

// Ticks that a run without agents waits for those that have never joined.
constexpr int lonely_limit = 15;
// And that one which is to stop waits for its agents to finish the step in progress.
constexpr int stop_limit = 2;

} // namespace

void coordinator_core::publish_view(actions& out) {
  log().view = log().view.next();
  auto crew = std::vector<member>{};
  for (auto& [role, m] : members_)
    if (role.kind == "agent" || role.kind == config_.peer_kind || role.kind == "data_broker")
      crew.push_back(m);
  if (crew != log().crew) { // rings form anew, and what is under way in them is begun again
    log().crew = std::move(crew);
    log().crew_since = log().view;
    if (has_peers()) {
      norms_.clear();
      summed_.clear();
    }
  }
  tell_view(out);
}

// Aggregators and agents come last: what they ask or send the others upon a view, these know of by then.
void coordinator_core::tell_view(actions& out) const {
  auto what = last_view();
  auto to = what.members;
  for (auto* late : {"aggregator", "agent"})
    std::stable_partition(to.begin(), to.end(), [&](auto& m) { return m.role.kind != late; });
  out.emplace_back(publish{std::move(what), std::move(to)});
}

view_changed coordinator_core::last_view() const {
  auto list = std::vector<member>{};
  for (auto& [role, m] : members_)
    list.push_back(m);
  return {log().view, log().applied.floor, std::move(list), log().rewound, log().crew_since};
}

coordinator_core::actions coordinator_core::on_bound(const member& who) const {
  auto out = actions{};
  if (has_begun() && has(who))
    out.emplace_back(publish{last_view(), {who}});
  if (phase_ == phase::loading && has(who) && who.role.kind == holder_kind() && !loaded_.contains(who.role.index))
    out.emplace_back(load{who.role.index, current()});
  return out;
}

// The final parameters of a ring are being collected: somebody who comes back may still have them, or was the last one
// who did.
void coordinator_core::finished_without(const join& j, actions& out) {
  auto& highest = log().highest[j.who.role];
  if (j.who.role.kind != holder_kind() || j.who.incarnation < highest)
    return;
  auto fresh = j.who.incarnation > highest;
  highest = j.who.incarnation;
  if (j.loaded)
    holds_[j.who.role.index] = j.version;
  else if (fresh && has_peers())
    holds_.erase(j.who.role.index);
  if (holds_.empty())
    out.emplace_back(give_up{"everybody who had the final parameters was lost before they could be collected: continue "
                             "from the last checkpoint with --resume"});
}

coordinator_core::actions coordinator_core::on_join(const join& said) {
  auto out = actions{};
  auto j = said;
  j.loaded = j.loaded && j.since >= log().rewound; // else what it holds is void
  if (phase_ == phase::finished && has_peers()) {
    finished_without(j, out);
    return out;
  }
  auto& highest = log().highest[j.who.role];
  auto left = log().left.find(j.who.role);
  if (j.who.incarnation < highest ||
      (left != log().left.end() && j.who.incarnation <= left->second)) { // a zombie (I15)
    ++dropped_;
    return out;
  }
  highest = j.who.incarnation;
  log().left.erase(j.who.role);
  auto i = members_.find(j.who.role);
  auto known = i != members_.end() && i->second == j.who;
  members_[j.who.role] = j.who;
  auto holder = j.who.role.kind == holder_kind();
  if (holder) {
    holds_.erase(j.who.role.index);
    if (j.loaded)
      holds_[j.who.role.index] = j.version;
    kept_sums_[j.who.role.index] = j.loaded ? j.sums : std::vector<step>{};
    if (j.loaded && j.version == current())
      behind_.erase(j.who.role.index);
  }
  if (phase_ == phase::gathering) {
    begin_if_gathered(out);
    return out;
  }
  if (!has_begun()) { // what it holds does not matter: it is loaded next
    if (holder && phase_ == phase::loading && !known) {
      loaded_.erase(j.who.role.index);
      publish_view(out); // it differs from the last, so it has a number of its own (I2)
      out.emplace_back(load{j.who.role.index, current()});
    }
    return out;
  }
  if (known && j.who.role.kind == "shard_replica") {
    out.emplace_back(publish{last_view(), {j.who}});
    return out;
  }
  if (known) { // somebody missed something, perhaps the view: the same one again to everyone
    if (holder &&
        (!j.loaded || (has_peers() && j.version < current()))) // unless it gets there soon, there is no way but back
      behind_.try_emplace(j.who.role.index, lateness{j.version, 0});
    tell_view(out);
    return out;
  }
  publish_view(out);
  if (holder) {
    forget_sums(j.who.role.index);
    lost_parameters(j, out);
  }
  hand_out_tests(out);
  rewind_if_hopeless(out);
  return out;
}

void coordinator_core::begin_if_gathered(actions& out) {
  auto count = [&](std::string_view kind) {
    return static_cast<uint32_t>(
      std::count_if(members_.begin(), members_.end(), [&](auto& x) { return x.first.kind == kind; }));
  };
  auto agents_needed = log().begun ? 1 : config_.agents; // of a run that is under way the others join as they come
  if (count("agent") < agents_needed || count(holder_kind()) < (has_peers() ? agents_needed : config_.shards) ||
      count("data_broker") < 1 || (!log().begun && count("aggregator") < config_.aggregators))
    return;
  if (log().begun) {
    if (patient_ && !crew_is_back())
      return;
    take_over(out);
    return;
  }
  phase_ = phase::loading;
  for (auto& holder : holders())
    out.emplace_back(load{holder.index, current()});
}

// A ring that stays the same goes on with what it has summed up.
bool coordinator_core::crew_is_back() const {
  return std::all_of(log().crew.begin(), log().crew.end(), [&](auto& m) { return members_.contains(m.role); });
}

// Another coordinator led this run before. Every shard is at the current step, or short of its commit, which is said
// again.
void coordinator_core::take_over(actions& out) {
  phase_ = phase::running;
  publish_view(out);
  for (auto& holder : holders()) {
    auto held = holds_.find(holder.index);
    auto j =
      join{members_.at(holder), held == holds_.end() ? step{} : held->second, held != holds_.end(), log().rewound};
    lost_parameters(j, out);
    if (phase_ != phase::running)
      return;
  }
  commit_again({}, out);
  for (auto& c : log().recent)
    out.emplace_back(committed{{log().view, c.at}});
  if (!log().recent.empty()) {
    auto before = log().recent.back().version;
    if (config_.test_samples > 0 && current() > log().tested &&
        (epoch_of(current()) != epoch_of(before) || current().value >= last_step_))
      begin_test(current(), epoch_of(before) + 1, out);
  }
  end_if_done(out);
}

// A shard that comes back with the parameters of the current version, or of one before and the commits that it missed
// are still known, goes on. A ring peer gets the model from another one. From anything else there is no way but back.
void coordinator_core::lost_parameters(const join& j, actions& out) {
  if (j.loaded && j.version == current())
    return;
  auto known = !log().recent.empty() && j.version >= log().recent.front().version;
  auto others_know = has_peers() && std::any_of(holds_.begin(), holds_.end(), [&](auto& x) {
                       auto reaches =
                         x.second == current() || (!log().recent.empty() && x.second >= log().recent.front().version);
                       return x.first != j.who.role.index && reaches;
                     });
  if ((j.loaded && known && !sums_are_lost(j.who.role.index, j.version)) || others_know)
    behind_[j.who.role.index] = {j.version, 0};
  else
    rewind(fmt::format("{} lost its parameters", to_string(j.who.role)), out);
}

// Whoever contributed to an update that a shard of this version lacks is gone, nobody else has it, and neither has the
// shard the sum.
bool coordinator_core::sums_are_lost(uint32_t shard, step version) const {
  if (has_peers() || config_.aggregators > 0)
    return false;
  auto kept = kept_sums_.find(shard);
  return std::any_of(log().recent.begin(), log().recent.end(), [&](auto& c) {
    auto all = log().givers.find(c.at);
    auto has_sum =
      kept != kept_sums_.end() && std::find(kept->second.begin(), kept->second.end(), c.at) != kept->second.end();
    return c.version >= version && !has_sum && all != log().givers.end() &&
           !std::all_of(all->second.begin(), all->second.end(), [&](auto& m) { return has(m); });
  });
}

// A shard waits for contributions of somebody who has gone since.
void coordinator_core::rewind_if_hopeless(actions& out) {
  if (!has_begun())
    return;
  for (auto& [shard, late] : behind_)
    if (sums_are_lost(shard, late.version)) {
      rewind(fmt::format("{}/{} lacks what somebody contributed who has gone", holder_kind(), shard), out);
      return;
    }
}

bool coordinator_core::somebody_holds_current() const {
  return std::any_of(holds_.begin(), holds_.end(), [&](auto& x) { return x.second == current(); });
}

void coordinator_core::rewind(const std::string& why, actions& out) {
  if (log().rewinds++ == max_rewinds) {
    phase_ = phase::finished;
    out.emplace_back(give_up{
      fmt::format("{} at step {}, after going back {} times without getting any further: continue from the last "
                  "checkpoint with --resume",
                  why, current().value + 1, max_rewinds)});
    return;
  }
  phase_ = phase::restoring;
  results_.clear();
  norms_.clear();
  summed_.clear();
  behind_.clear();
  kept_sums_.clear();
  loaded_.clear();
  round_.reset();
  log().recent.clear();
  log().givers.clear();
  holds_.clear();
  out.emplace_back(
    note{fmt::format("{} at step {}: the run goes back to its last checkpoint", why, current().value + 1)});
  out.emplace_back(restore{});
}

coordinator_core::actions coordinator_core::on_restored(step version) {
  auto out = actions{};
  if (phase_ != phase::restoring)
    return out;
  phase_ = phase::loading;
  log().applied = {version, {}};
  log().view = log().view.next();
  log().rewound = log().view;
  out.emplace_back(account{ledger_rewind{version, log().view}});
  tell_view(out);
  for (auto& holder : holders())
    out.emplace_back(load{holder.index, current()});
  return out;
}

coordinator_core::actions coordinator_core::on_loaded(uint32_t shard) {
  auto out = actions{};
  loaded_.insert(shard);
  run_if_loaded(out);
  return out;
}

void coordinator_core::run_if_loaded(actions& out) {
  auto all = holders();
  if (phase_ != phase::loading || all.empty() ||
      !std::all_of(all.begin(), all.end(), [&](auto& role) { return loaded_.contains(role.index); }))
    return;
  phase_ = phase::running;
  log().begun = true;
  for (auto& holder : all)
    holds_[holder.index] = current();
  if (current().value >= end_) // a finished run was resumed
    end_if_done(out);
  else if (log().stop_asked)
    end(stop_cause::interrupted, out);
  else
    publish_view(out);
  end_if_deserted(out);
}

coordinator_core::actions coordinator_core::on_load_lost(uint32_t shard) {
  auto out = actions{};
  if (phase_ == phase::loading && !loaded_.contains(shard) && members_.contains({holder_kind(), shard}))
    out.emplace_back(load{shard, current()});
  return out;
}

void coordinator_core::end_if_done(actions& out) {
  auto done = current().value + (planted(canary::epoch_ends_too_early) ? 1 : 0);
  if (done < end_ || round_)
    return;
  auto all = config_.steps != 0 && last_step_ == config_.steps ? stop_cause::steps_done : stop_cause::epochs_done;
  end(end_ < last_step_ ? stop_cause::part_done : all, out);
}

coordinator_core::actions coordinator_core::on_lost(const member& who) {
  auto out = actions{};
  auto i = members_.find(who.role);
  if (i == members_.end() || i->second != who)
    return out; // late news of an old incarnation
  members_.erase(i);
  if (has_peers() && who.role.kind == holder_kind()) {
    holds_.erase(who.role.index);
    behind_.erase(who.role.index);
    loaded_.erase(who.role.index);
    run_if_loaded(out);
  }
  if (!has_begun())
    return out;
  if (who.role.kind == holder_kind())
    forget_sums(who.role.index);
  if (out.empty())
    publish_view(out);
  if (round_)
    for (auto& [first, work] : round_->open)
      if (work.second && work.second->role == who.role) // whichever incarnation was asked
        work.second.reset();
  hand_out_tests(out);
  rewind_if_hopeless(out);
  return out;
}

// Who has crashed comes back; who has left does not.
coordinator_core::actions coordinator_core::on_left(const member& who) {
  auto known = has(who);
  auto out = on_lost(who);
  if (!known)
    return out;
  log().left.insert_or_assign(who.role, who.incarnation);
  out.emplace_back(note{fmt::format("{} has left the run", to_string(who.role))});
  end_if_deserted(out);
  return out;
}

// With nobody to finish it there is no step in progress. Peers have the model, and are waited for.
void coordinator_core::stop_if_nobody_works(actions& out) {
  auto all = holders();
  auto whole = !has_peers() && log().applied.above.empty() &&
               std::all_of(all.begin(), all.end(), [&](auto& role) { return members_.contains(role); });
  if (phase_ == phase::running && log().stop_asked && whole && lonely_ticks_ > stop_limit)
    end(stop_cause::interrupted, out);
}

// Who has crashed is awaited, and for a while who has not joined yet.
void coordinator_core::end_if_deserted(actions& out) {
  uint32_t known = 0;
  for (auto& [role, number] : log().highest)
    if (role.kind == "agent") {
      ++known;
      if (!log().left.contains(role))
        return;
    }
  auto awaited = known < config_.most_agents && lonely_ticks_ < lonely_limit;
  if (phase_ != phase::running || !agents().empty() || awaited)
    return;
  out.emplace_back(note{"all agents have left: the run stops here, and goes on with --resume if it has a --checkpoint "
                        "folder"});
  end(stop_cause::interrupted, out);
}

} // namespace troupe
