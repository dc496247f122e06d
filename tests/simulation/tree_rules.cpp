#include "tests/simulation/tree_rules.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "messages/caf.hpp"

namespace troupe::testing {

tree_rules::tree_rules(simulation& world, std::map<std::string, branch> branches)
  : world_(world), branches_(std::move(branches)) {
  world_.on_handling([this](const handling& h) { handles(h); });
}

void tree_rules::started(const std::string& path, const std::string& child, incarnation number) {
  auto& latest = latest_[{path, child}];
  if (number <= latest)
    world_.violated(fmt::format("T2: {}/{} starts as #{} after #{}", path, child, number.value, latest.value));
  latest = number;
  running_[{path, child}].insert(number);
}

void tree_rules::ended(const std::string& path, const std::string& child, incarnation number) {
  running_[{path, child}].erase(number);
}

void tree_rules::forgotten(const std::string& path, const std::string& child) {
  if (branches_.at(path).limit.each)
    std::erase_if(lives_[path].restarts, [&](const auto& each) { return each.first == child; });
}

std::set<incarnation> tree_rules::running(const std::string& path, const std::string& child) const {
  const auto it = running_.find({path, child});
  return it == running_.end() ? std::set<incarnation>{} : it->second;
}

bool tree_rules::nobody_runs() const {
  return std::all_of(running_.begin(), running_.end(), [](const auto& each) { return each.second.empty(); });
}

void tree_rules::reported(const supervision_report& r) {
  world_.note(to_string(r));
  const key child{r.supervisor, r.child};
  if (!decided_.insert({child, r.number}).second)
    world_.violated(fmt::format("I5: a second decision about {} #{} of {}", r.child, r.number.value, r.supervisor));
  // Elsewhere it may run on, until it is told (R8): when it cannot be reached, when its host stands still, or when word
  // of its start came too late.
  const bool may_run_on = r.cause.kind == exit_kind::connection_lost || r.cause.kind == exit_kind::stuck ||
                          (!r.cause.chain.empty() && r.cause.chain.front().starts_with("it was not ready within"));
  if (!may_run_on && running_[child].contains(r.number))
    world_.violated(
      fmt::format("I5: {} decides about {} #{}, which has not ended", r.supervisor, r.child, r.number.value));
  if (r.what == decision::restart || r.what == decision::retry)
    note_restart(r.supervisor, r.child);
  if (r.what == decision::escalate)
    lives_[r.supervisor].escalated = std::pair{r.child, world_.now()};
  if (r.cause.kind == exit_kind::escalated)
    gave_up(r.supervisor + '/' + r.child, r.cause);
}

/// An entry exactly `period` old still counts (S4).
size_t tree_rules::counted(const life& l, const restart_limit& limit, const std::string& child, instant now) {
  return static_cast<size_t>(std::count_if(l.restarts.begin(), l.restarts.end(), [&](const auto& each) {
    return now - each.second <= limit.period && (!limit.each || each.first == child);
  }));
}

void tree_rules::note_restart(const std::string& path, const std::string& child) {
  auto& l = lives_[path];
  const auto& limit = branches_.at(path).limit;
  const auto now = tree_ ? tree_->find(path) : std::nullopt;
  if (now && now->handle() != l.actor)
    l = {now->handle(), {}, {}}; // a new life counts anew
  l.restarts.emplace_back(child, world_.now());
  if (const auto in_window = counted(l, limit, child, world_.now()); in_window > limit.restarts)
    world_.violated(fmt::format("I4: {} restarts within {} by {}, at most {} are granted", in_window,
                                troupe::to_string(limit.period), path, limit.restarts));
}

void tree_rules::gave_up(const std::string& path, const exit_cause& cause) {
  const auto known = branches_.find(path);
  if (known == branches_.end() || cause.chain.empty() || cause.chain[0].find("gave up") == std::string::npos)
    return;
  const auto& l = lives_[path];
  const auto [child, at] = l.escalated.value_or(std::pair{std::string{}, world_.now()});
  const auto& limit = known->second.limit;
  if (const auto in_window = counted(l, limit, child, at); in_window < limit.restarts)
    world_.violated(fmt::format("I4: {} gave up after {} restarts within {}, and {} are granted", path, in_window,
                                troupe::to_string(limit.period), limit.restarts));
}

/// Who is asked to stop has no running sibling behind it (S1, S2). Only among those on the supervisor's own host: word
/// of the others is under way.
void tree_rules::handles(const handling& h) {
  if (!h.what.match_elements<caf::exit_msg>() ||
      h.what.get_as<caf::exit_msg>(0).reason != caf::exit_reason::user_shutdown)
    return;
  for (const auto& [path, b] : branches_) {
    const auto me = std::find_if(b.children.begin(), b.children.end(), [&, above = path + '/'](const auto& c) {
      return h.who.starts_with(above + c.first + '#');
    });
    if (me == b.children.end() || me->second != b.where)
      continue;
    for (auto other = me + 1; other != b.children.end(); ++other)
      if (other->second == b.where && !running(path, other->first).empty())
        world_.violated(fmt::format("S2: {} is asked to stop while {} behind it runs", h.who, other->first));
  }
}

} // namespace troupe::testing
