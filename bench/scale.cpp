/// How the work of a step grows with the number of agents: the real roles, simulated in one process without faults.
/// Prints messages for each agent and step, by who handles them, and what the cores of the roles take over them.
///
///     bench_scale [AGENTS…]

#include <chrono>
#include <cstdlib>
#include <fmt/format.h>
#include <map>
#include <string>
#include <vector>

#include "actors/broker_core.hpp"
#include "actors/coordinator_core.hpp"
#include "actors/shard_core.hpp"
#include "tests/simulation/training_world.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

constexpr uint64_t steps = 10;
constexpr uint32_t holders = 4;

learn::batch_sizes sizes_for(uint32_t agents) {
  return {.samples = steps * agents, .batch = agents, .micro_batch = 1};
}

struct counts {
  std::map<std::string, uint64_t> handled; // by kind of role
  uint64_t steps = 0;
};

/// Messages from the first commit to the last, in a simulation of the real roles.
counts count_messages(uint32_t agents) {
  const training_shape shape{.agents = agents,
                             .agents_apart = false,
                             .sizes = sizes_for(agents),
                             .shards = holders,
                             .shards_apart = false,
                             .epochs = 1,
                             .compare = false,
                             .work_time = 1us};
  counts result;
  simulation world{1, {}};
  bool counting = false;
  world.on_handling([&](const handling& h) {
    if (h.who.starts_with("shard_holder/0") && h.what.match_elements<commit_step>()) {
      result.steps += counting;
      counting = true;
    }
    if (counting)
      ++result.handled[h.who.substr(0, h.who.find('/'))];
  });
  auto& run = world.make<training_world>(world, shape, training_world::add_hosts(world, shape));
  world.expect(
    "the run ends", [&] { return run.has_ended(); }, 1h);
  if (const auto wrong = world.violation()) {
    fmt::print(stderr, "{}\n", *wrong);
    std::exit(1);
  }
  return result;
}

member agent(uint32_t rank) {
  return {{"agent", rank}, {1}};
}

/// Nanoseconds that the coordinator's core takes over a step, by agent: everybody's results and the shards' sums.
double time_coordinator(uint32_t agents) {
  coordinator_core::config c;
  c.agents = agents;
  c.shards = holders;
  c.blocks = holders;
  c.sizes = sizes_for(agents);
  coordinator_core core{c};
  core.on_join({{{"data_broker", 0}, {1}}, {}, true});
  for (uint32_t i = 0; i < agents; ++i)
    core.on_join({agent(i), {}, false});
  for (uint32_t i = 0; i < holders; ++i)
    core.on_join({{{"shard_holder", i}, {1}}, {}, false});
  for (uint32_t i = 0; i < holders; ++i)
    core.on_loaded(i);
  const auto began = std::chrono::steady_clock::now();
  for (uint64_t s = 0; s < steps; ++s) {
    for (uint32_t i = 0; i < agents; ++i)
      core.on_results({{agent(i).role, {1}, core.number()}, {s}, {s}, agents, {{i, 1, 1, 1, 0}}, 0, {1}});
    for (uint32_t i = 0; i < holders; ++i)
      core.on_summed({{{"shard_holder", i}, {1}, core.number()}, {s}, {s}, {{{i}, 1, true}}});
  }
  const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - began;
  if (core.current().value != steps)
    std::abort();
  return static_cast<double>(took.count()) / static_cast<double>(steps * agents);
}

/// The same for the broker's: everybody's requests, and the commit.
double time_broker(uint32_t agents) {
  broker_core core{sizes_for(agents), {0}};
  view_changed all{{1}, {0}, {}, {}, {1}};
  for (uint32_t i = 0; i < agents; ++i)
    all.members.push_back(agent(i));
  core.on_view(all);
  const auto began = std::chrono::steady_clock::now();
  for (uint64_t s = 0; s < steps; ++s) {
    for (uint32_t i = 0; i < agents; ++i)
      if (core.on_request({{agent(i).role, {1}, {1}}, {s}, {{s}, {}}}).size() != 1)
        std::abort();
    core.on_committed({{1}, {s}});
  }
  const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - began;
  return static_cast<double>(took.count()) / static_cast<double>(steps * agents);
}

/// And for a shard holder's: everybody's gradient of a block, and the commit.
double time_holder(uint32_t agents) {
  shard_core core{{{"shard_holder", 0}, {1}}, {{0}}};
  view_changed all{{1}, {0}, {}, {}, {1}};
  for (uint32_t i = 0; i < agents; ++i)
    all.members.push_back(agent(i));
  core.on_view(all);
  core.on_loaded({});
  const auto began = std::chrono::steady_clock::now();
  for (uint64_t s = 0; s < steps; ++s) {
    for (uint32_t i = 0; i < agents; ++i)
      core.on_push({{agent(i).role, {1}, {1}}, {s}, {s}, {0}, sum_tree{agents}.leaf(i), agents, {}});
    core.on_norm({s}, {{0}, 1, true});
    if (!core.on_commit({{1}, {s}, {s}, 0.1f}))
      std::abort();
    core.on_applied();
  }
  const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - began;
  return static_cast<double>(took.count()) / static_cast<double>(steps * agents);
}

} // namespace

int main(int count, char** arguments) {
  std::vector<uint32_t> sizes;
  for (int i = 1; i < count; ++i)
    sizes.push_back(static_cast<uint32_t>(std::strtoul(arguments[i], nullptr, 10)));
  if (sizes.empty())
    sizes = {16, 64, 256, 1024, 4096};
  fmt::print(
    "{} shard holders, a micro-batch for each agent and step. For each agent and step: messages, by who handles\n"
    "them, in a simulation without faults; and \u00b5s that the core of a role takes.\n\n",
    holders);
  fmt::print("{:>6} | {:>8} | {:>11} | {:>6} | {:>11} | {:>14} | {:>9} | {:>14}\n", "agents", "messages", "coordinator",
             "broker", "each holder", "coordinator \u00b5s", "broker \u00b5s", "each holder \u00b5s");
  for (const auto agents : sizes) {
    const auto cores = fmt::format("{:>14.3f} | {:>9.3f} | {:>14.3f}", time_coordinator(agents) / 1000,
                                   time_broker(agents) / 1000, time_holder(agents) / 1000);
    auto f = count_messages(agents);
    const auto per = [&](uint64_t n) { return static_cast<double>(n) / static_cast<double>(f.steps * agents); };
    uint64_t all = 0;
    for (const auto& [role, n] : f.handled)
      all += n;
    fmt::print("{:>6} | {:>8.2f} | {:>11.3f} | {:>6.3f} | {:>11.3f} | {}\n", agents, per(all),
               per(f.handled["coordinator"]), per(f.handled["data_broker"]), per(f.handled["shard_holder"]) / holders,
               cores);
    std::fflush(stdout);
  }
}
