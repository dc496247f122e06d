// Plays seeds of one topology: `simulate shards --seeds 2000`, or replays one: `simulate shards --seed 17`.

#include <fmt/format.h>
#include <map>
#include <string>
#include <vector>

#include "tests/simulation/scenarios.hpp"

using namespace troupe::testing;

int main(int count, char** arguments) {
  const std::map<std::string, scenario (*)()> topologies{
    {"supervision", supervision_scenario}, {"shards", shards_scenario}, {"sharded", sharded_scenario},
    {"replicas", replicas_scenario},       {"broker", broker_scenario}, {"checkpoint", checkpoint_scenario},
    {"staleness", staleness_scenario},     {"tree", tree_scenario},     {"ring", ring_scenario},
    {"gossip", gossip_scenario},           {"locks", locks_scenario},   {"samples", samples_scenario}};
  const auto chosen = topologies.find(count > 1 ? arguments[1] : "");
  if (chosen == topologies.end()) {
    fmt::print(
      stderr,
      "usage: {} supervision|shards|sharded|replicas|broker|checkpoint|staleness|tree|ring|gossip|locks|samples "
      "[--seeds N] "
      "[--first S] [--seed S]\n",
      arguments[0]);
    return 2;
  }
  std::string program = fmt::format("{} {}", arguments[0], chosen->first);
  std::vector<char*> rest{program.data()};
  rest.insert(rest.end(), arguments + 2, arguments + count);
  return simulate(chosen->second(), static_cast<int>(rest.size()), rest.data());
}
