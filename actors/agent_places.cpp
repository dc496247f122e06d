#include "actors/agent_places.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "supervision/spec.hpp"

namespace troupe {

namespace {

std::string name_of(uint32_t agent) {
  return fmt::format("agent/{}", agent);
}

} // namespace

agent_places::answer agent_places::next(uint32_t agent, time_point now) {
  auto guard = std::lock_guard{mutex_};
  auto& a = agents_[agent];
  auto chosen = choice_.pick(agent, now);
  if (chosen.node && !a.waits && a.no.size() < options_.nodes.size())
    return try_node{*chosen.node};
  if (!a.has_worked && agent < options_.must_start)
    return refuse{fmt::format("no node has a place for {}: {}", name_of(agent), reasons(a))};
  if (nobody_works() && !idle_since_)
    idle_since_ = now;
  if (idle_since_ && now - *idle_since_ >= options_.patience)
    return give_up{fmt::format("no agent has had a place for {}: {}; the run ends here, and goes on with --resume if "
                               "it has a --checkpoint folder",
                               to_string(nanoseconds{options_.patience}), reasons(a))};
  if (chosen.node && a.waits)
    return try_node{*chosen.node};
  auto until = chosen.node ? now : chosen.until;
  return wait{idle_since_ ? std::min(until, *idle_since_ + options_.patience) : until, !std::exchange(a.waits, true)};
}

// Of all who wait, so that one sentence tells of a host and all its agents.
std::string agent_places::news() {
  auto who = std::string{};
  auto why = std::string{};
  auto several = false;
  for (auto& [agent, a] : agents_) {
    if (!a.waits || std::exchange(a.told, true))
      continue;
    several = !who.empty();
    who += (who.empty() ? "" : ", ") + name_of(agent);
    if (why.empty())
      why = reasons(a);
  }
  if (who.empty())
    return {};
  auto rest = nobody_works()
                ? fmt::format("no agent is at work: the run waits for {} for one to get a place, then ends",
                              to_string(nanoseconds{options_.patience}))
                : fmt::format("the others do {} work", several ? "their" : "its");
  return fmt::format("{} {} for a place: {}; {}", who, several ? "wait" : "waits", why, rest);
}

std::string agent_places::refused(uint32_t agent, size_t node, const std::string& why, time_point now) {
  auto guard = std::lock_guard{mutex_};
  choice_.refused(agent, node, now);
  auto& a = agents_[agent];
  a.no[node] = why;
  return a.waits && !a.told ? news() : std::string{};
}

void agent_places::failed(uint32_t agent, size_t node, const std::string& why, time_point now) {
  auto guard = std::lock_guard{mutex_};
  choice_.failed(node, now);
  agents_[agent].no[node] = why;
}

std::string agent_places::started(uint32_t agent, size_t node, incarnation process) {
  auto guard = std::lock_guard{mutex_};
  choice_.succeeded(agent, node);
  auto& a = agents_[agent];
  auto told = a.told;
  a = {process, true, false, false, {}};
  idle_since_.reset();
  return told ? fmt::format("{} has a place again, at {}", name_of(agent), name(node)) : std::string{};
}

void agent_places::ended(uint32_t agent, incarnation process, time_point now) {
  auto guard = std::lock_guard{mutex_};
  auto& a = agents_[agent];
  a.waits = a.told = false;
  a.no.clear();
  if (a.at_work != process)
    return;
  a.at_work.reset();
  if (nobody_works())
    idle_since_ = now;
}

std::string agent_places::why(uint32_t agent) const {
  auto guard = std::lock_guard{mutex_};
  auto found = agents_.find(agent);
  return found == agents_.end() ? std::string{} : reasons(found->second);
}

bool agent_places::nobody_works() const {
  return std::none_of(agents_.begin(), agents_.end(), [](auto& each) { return each.second.at_work.has_value(); });
}

std::string agent_places::reasons(const record& agent) const {
  auto text = std::string{};
  for (size_t node = 0; node < options_.nodes.size(); ++node) {
    auto said = agent.no.find(node);
    text += fmt::format(
      "{}{}", text.empty() ? "" : "; ",
      said == agent.no.end() ? fmt::format("{} is left out, since an agent was lost there", name(node)) : said->second);
  }
  return text;
}

} // namespace troupe
