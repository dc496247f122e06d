#include "actors/place_rule.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <numeric>
#include <utility>

#include "actors/job.hpp"

namespace troupe {
namespace {

constexpr auto names = std::array{std::pair{std::string_view{"spread"}, place_rule::spread},
                                  std::pair{std::string_view{"one-per"}, place_rule::one_per},
                                  std::pair{std::string_view{"pack"}, place_rule::pack}};

std::string plural(uint64_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

} // namespace

std::string_view to_string(place_rule rule) {
  return std::find_if(names.begin(), names.end(), [&](auto& n) { return n.second == rule; })->first;
}

expected<place_rule> parse_place_rule(std::string_view name) {
  for (auto& [known, rule] : names)
    if (known == name)
      return rule;
  return fail(fmt::format("'{}' is no rule for places: choose spread, one-per or pack", name));
}

expected<std::vector<uint32_t>> place_agents(place_rule rule, uint32_t agents, const std::vector<int>& slots) {
  auto nodes = static_cast<uint32_t>(slots.size());
  if (nodes == 0)
    return fail("there is no node to place agents on: name some with --nodes or --hostfile");
  if (rule == place_rule::one_per && agents > nodes)
    return fail(fmt::format("--place one-per puts each agent on a node of its own, and for {} there {} only {}: name "
                            "more nodes or use fewer --agents",
                            plural(agents, "agent"), nodes == 1 ? "is" : "are", plural(nodes, "node")));
  auto all_known = std::find(slots.begin(), slots.end(), 0) == slots.end();
  if (rule == place_rule::pack && !all_known)
    return fail(
      "--place pack fills one node after the other, and has to know how many agents each takes: write slots=N "
      "for all of them in the --hostfile");
  if (auto sum = std::accumulate(slots.begin(), slots.end(), uint64_t{0}); all_known && agents > sum)
    return fail(fmt::format("{} do not fit into the {} of {}: give the nodes more in the --hostfile, or use fewer "
                            "--agents",
                            plural(agents, "agent"), plural(sum, "slot"), plural(nodes, "node")));
  auto left = std::vector<uint32_t>(nodes);
  std::transform(slots.begin(), slots.end(), left.begin(), [&](int n) { return n == 0 ? agents : uint32_t(n); });
  auto result = std::vector<uint32_t>{};
  auto at = uint32_t{0};
  while (result.size() < agents) {
    if (left[at] > 0) {
      --left[at];
      result.push_back(at);
    }
    if (rule != place_rule::pack || left[at] == 0)
      at = (at + 1) % nodes;
  }
  return result;
}

expected<std::vector<uint32_t>> place_agents(const job_options& job) {
  if (job.nodes.empty() && job.place != place_rule::spread)
    return fail(fmt::format("--place {} is for agents on nodes: name some with --nodes or --hostfile, or leave it out",
                            to_string(job.place)));
  if (job.nodes.empty())
    return std::vector<uint32_t>{};
  auto slots = job.node_slots;
  slots.resize(job.nodes.size());
  return place_agents(job.place, static_cast<uint32_t>(job.agents), slots);
}

} // namespace troupe
