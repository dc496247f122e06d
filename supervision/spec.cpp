#include "supervision/spec.hpp"

#include <array>
#include <cmath>
#include <fmt/format.h>
#include <unordered_set>
#include <utility>

namespace troupe {

namespace {

using namespace std::chrono_literals;

expected<void> refuse(const supervisor_spec& spec, const std::string& sentence) {
  return fail(fmt::format("supervisor \"{}\": {}", spec.name, sentence));
}

expected<void> validate_backoff(const supervisor_spec& spec) {
  const auto& b = spec.backoff;
  if (b.min < 0ns)
    return refuse(spec, fmt::format("backoff.min is {}: give a time of 0 or more", to_string(b.min)));
  if (b.max < b.min)
    return refuse(spec, fmt::format("backoff.max ({}) is below backoff.min ({}): give a larger one", to_string(b.max),
                                    to_string(b.min)));
  if (!(b.jitter >= 0 && b.jitter <= 1))
    return refuse(spec, fmt::format("backoff.jitter is {}: give a fraction from 0 to 1", b.jitter));
  if (b.quiet < 0ns)
    return refuse(spec, fmt::format("backoff.quiet is {}: give a time of 0 or more", to_string(b.quiet)));
  return {};
}

} // namespace

expected<void> validate(const child_spec& child, const supervisor_spec& parent) {
  if (child.id.empty())
    return refuse(parent, "a child's id is empty: give each child a name, such as \"agent/0\"");
  auto refuse_child = [&](const std::string& sentence) {
    return refuse(parent, fmt::format("child \"{}\": {}", child.id, sentence));
  };
  if (child.significant && child.restart == permanent)
    return refuse_child(
      "significant does not go with restart permanent, which never ends for good: make it transient or "
      "temporary");
  if (child.significant && parent.on_significant == never)
    return refuse_child("significant does not go with on_significant never: choose any_significant or all_significant");
  if (child.shutdown_time() < 0ns)
    return refuse_child(
      fmt::format("shutdown is {}: give 0 to kill at once, a time, or unlimited", to_string(child.shutdown_time())));
  if (child.start_time() <= 0ns)
    return refuse_child(
      fmt::format("start is {}: give the time it may take to be ready, or unlimited", to_string(child.start_time())));
  return {};
}

expected<void> validate(const supervisor_spec& spec) {
  if (spec.name.empty())
    return fail("a supervisor's name is empty: give it one, its reports carry it");
  if (spec.limit.period <= 0ns)
    return refuse(spec, fmt::format("limit.period is {}: give a time above 0, such as at_most({}, 5s)",
                                    to_string(spec.limit.period), spec.limit.restarts));
  if (spec.limit.each && (spec.strategy == one_for_all || spec.strategy == rest_for_one))
    return refuse(spec, fmt::format("a limit for each child does not go with strategy {}, where a restart concerns "
                                    "others, too: give at_most({}, …)",
                                    to_string(spec.strategy), spec.limit.restarts));
  if (spec.kill_grace <= 0ns)
    return refuse(spec, fmt::format("kill_grace is {}: give a time above 0", to_string(spec.kill_grace)));
  if (auto ok = validate_backoff(spec); !ok)
    return ok;
  if (spec.strategy == simple_one_for_one && spec.children.size() != 1)
    return refuse(spec,
                  fmt::format("strategy simple_one_for_one goes with exactly one child, its template, but there are "
                              "{}",
                              spec.children.size()));
  std::unordered_set<std::string_view> ids;
  for (const auto& child : spec.children) {
    if (auto ok = validate(child, spec); !ok)
      return ok;
    if (!ids.insert(child.id).second)
      return refuse(spec, fmt::format("id \"{}\" is given to two children: each needs one of its own", child.id));
  }
  return {};
}

std::string_view to_string(restart_strategy strategy) {
  constexpr std::array<std::string_view, 4> names{"one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"};
  return names.at(static_cast<size_t>(strategy));
}

std::string_view to_string(restart_type type) {
  constexpr std::array<std::string_view, 3> names{"permanent", "transient", "temporary"};
  return names.at(static_cast<size_t>(type));
}

std::string_view to_string(auto_shutdown rule) {
  constexpr std::array<std::string_view, 3> names{"never", "any_significant", "all_significant"};
  return names.at(static_cast<size_t>(rule));
}

std::string to_string(nanoseconds time) {
  if (time == unlimited)
    return "unlimited";
  constexpr std::array<std::pair<nanoseconds, std::string_view>, 6> units{
    {{1h, "h"}, {1min, "min"}, {1s, "s"}, {1ms, "ms"}, {1us, "us"}, {1ns, "ns"}}};
  for (auto [unit, name] : units)
    if (time % unit == 0ns && time / unit != 0)
      return fmt::format("{} {}", time / unit, name);
    else if (unit <= 1s && time / unit != 0) // 2500 ms reads better as 2.5 s
      return fmt::format("{:g} {}", static_cast<double>(time.count()) / static_cast<double>(unit.count()), name);
  return "0 s";
}

} // namespace troupe
