#include "actors/planned_faults.hpp"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sstream>
#include <string>

#include "actors/fault_places.hpp"

namespace troupe {
namespace {

constexpr const char* variable = "TROUPE_FAULTS"; // texts of faults, separated by spaces

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
  if (one_of("shard_holder", o.shards))
    return "shard_holder";
  if (where == "data_broker/0" || where == "coordinator/0" || where == "lock_service/0")
    return where.substr(0, where.find('/'));
  return {};
}

} // namespace

planned_faults::planned_faults(const std::vector<fault>& faults) : any_(!faults.empty()) {
  auto all = std::string{};
  for (auto& f : faults) {
    fault_points::arm(f);
    all += (all.empty() ? "" : " ") + to_string(f);
  }
  if (any_)
    ::setenv(variable, all.c_str(), 1);
}

planned_faults::~planned_faults() {
  if (!any_)
    return;
  fault_points::disarm();
  ::unsetenv(variable);
}

expected<void> arm_inherited_faults() {
  const auto* text = std::getenv(variable);
  auto words = std::istringstream{text == nullptr ? "" : text};
  for (std::string word; words >> word;) {
    auto f = parse_fault(word);
    if (!f)
      return fail(fmt::format("{} is not understood: {}", variable, f.error().sentence));
    fault_points::arm(*f);
  }
  return {};
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
    if (role == "agent" && !o.nodes.empty())
      return fail(fmt::format(
        "the agents of --nodes live elsewhere: start their node with TROUPE_FAULTS=\"{}\" instead", to_string(f)));
  }
  return {};
}

} // namespace troupe
