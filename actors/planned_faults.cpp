#include "actors/planned_faults.hpp"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sstream>
#include <string>

#include "actors/data_parallel.hpp"
#include "actors/fault_places.hpp"

namespace troupe {
namespace {

constexpr const char* plan_variable = "TROUPE_FAULTS";              // texts of faults, separated by spaces
constexpr const char* happened_variable = "TROUPE_FAULTS_HAPPENED"; // descriptor of flags, one each

// "agent" for a role of this job, empty for anything else.
std::string role_kind(const std::string& where, const job_options& o) {
  const auto one_of = [&](const char* kind, int count) {
    for (int i = 0; i < count; ++i)
      if (where == fmt::format("{}/{}", kind, i))
        return true;
    return false;
  };
  if (one_of("agent", o.agents))
    return "agent";
  if (o.sync != "ring" && o.sync != "gossip" && one_of("shard_holder", o.shards))
    return "shard_holder";
  for (int first = 0; o.sync == "tree" && first < o.agents; first += o.fan_in)
    if (where == fmt::format("aggregator/{}", first))
      return "aggregator";
  for (const auto* mode : {"ring", "gossip"})
    if (auto kind = fmt::format("{}_peer", mode); o.sync == mode && one_of(kind.c_str(), o.agents))
      return kind;
  if (holds_samples_apart(o) && (one_of(keeper_kind, o.agents) || one_of(source_kind, 1)))
    return where.substr(0, where.find('/'));
  if (where == "data_broker/0" || where == "coordinator/0" || where == "lock_service/0")
    return where.substr(0, where.find('/'));
  return {};
}

} // namespace

expected<planned_faults> planned_faults::arm(const std::vector<fault>& faults) {
  if (faults.empty())
    return planned_faults{};
  return arm(faults, shared_flags::create(faults.size()));
}

expected<planned_faults> planned_faults::arm_inherited() {
  const auto* text = std::getenv(plan_variable);
  auto words = std::istringstream{text == nullptr ? "" : text};
  auto faults = std::vector<fault>{};
  for (std::string word; words >> word;) {
    auto f = parse_fault(word);
    if (!f)
      return fail(fmt::format("{} is not understood: {}", plan_variable, f.error().sentence));
    faults.push_back(std::move(*f));
  }
  const auto* parents = std::getenv(happened_variable);
  if (parents == nullptr || faults.empty())
    return arm(faults);
  auto happened = shared_flags::inherit(std::atoi(parents), faults.size());
  if (!happened)
    return fail(fmt::format("{} is not understood: {}", happened_variable, happened.error().sentence));
  return arm(faults, std::move(happened));
}

expected<planned_faults> planned_faults::arm(const std::vector<fault>& faults, expected<shared_flags> happened) {
  if (!happened)
    return tl::unexpected(happened.error());
  auto plan = std::string{};
  for (size_t i = 0; i < faults.size(); ++i) {
    fault_points::arm(faults[i], happened->at(i));
    plan.append(plan.empty() ? "" : " ").append(to_string(faults[i]));
  }
  ::setenv(plan_variable, plan.c_str(), 1);
  ::setenv(happened_variable, std::to_string(happened->descriptor()).c_str(), 1);
  auto result = planned_faults{};
  result.happened_ = std::make_unique<shared_flags>(std::move(*happened));
  return result;
}

planned_faults::~planned_faults() {
  if (!happened_)
    return;
  fault_points::disarm();
  ::unsetenv(plan_variable);
  ::unsetenv(happened_variable);
}

expected<void> check_faults(const job_options& o) {
  for (auto& f : o.faults) {
    auto role = role_kind(f.where, o);
    auto names = std::vector<std::string_view>{};
    auto possible = false;
    auto known = !role.empty();
    for (auto& p : places::all) {
      names.push_back(p.name);
      auto here = p.name == f.where || p.role == role;
      known = known || here;
      possible = possible || (here && p.can.contains(f.kind));
    }
    if (!known)
      return fail(fmt::format("there is no {} for a fault: name a role that --print-tree shows, or one of {}", f.where,
                              fmt::join(names, ", ")));
    if (!possible)
      return fail(
        fmt::format("{} cannot suffer {}: docs/testing.md says who can suffer what", f.where, to_string(f.kind)));
    auto there = role == "agent" || role == "aggregator" || role == keeper_kind || role.ends_with("_peer") ||
                 (role == "shard_holder" && o.sync == "sharded");
    if (there && !o.nodes.empty())
      return fail(fmt::format(
        "the agents of --nodes live elsewhere: start their node with TROUPE_FAULTS=\"{}\" instead", to_string(f)));
  }
  return {};
}

} // namespace troupe
