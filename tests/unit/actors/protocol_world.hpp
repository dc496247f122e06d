#pragma once

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "actors/agent_core.hpp"
#include "actors/aggregator_core.hpp"
#include "actors/broker_core.hpp"
#include "actors/coordinator_core.hpp"
#include "actors/shard_core.hpp"

namespace troupe::test {

using content = std::vector<uint64_t>; // micro-batches in a partial sum, in order

struct push_with_content {
  push_gradients push;
  content what;
};

struct worked { // an agent's stream is done with a lease
  origin from;  // when it began
  lease what;
  step base;
};

using message = std::variant<join, view_changed, parameters, lease, evaluate, request_lease, step_committed,
                             push_with_content, micro_batches_done, shard_summed, commit_step, pull_parameters,
                             evaluation, worked, request_plan, step_plan, offer_help, split_lease, lease_split>;

/// Three agents, two shard holders, the data broker and the coordinator, each a core alone, in one loop: messages
/// arrive in a seeded random order, are lost or doubled, and every role dies and comes back. With a fan-in there are
/// aggregators between agents and shard holders. Without, agents that keep in step help each other. Now and then the
/// data set has a shard for each agent.
class protocol_world {
public:
  /// Shares of messages that are lost or come twice, and of deliveries upon which somebody dies.
  struct mishaps {
    double loss = 0;
    double twice = 0;
    double death = 0;
  };
  protocol_world(uint64_t seed, pace how, mishaps what, uint32_t fan_in = 0);

  /// True if the run came to its end within `limit` deliveries.
  bool run(int limit);
  /// Where everybody stands, for a run that does not end.
  [[nodiscard]] std::string standing() const;

  std::map<uint64_t, int> commits;
  std::vector<std::string> violations;
  int rewinds = 0;
  int splits = 0; ///< leases of which another agent got a part

  static constexpr uint32_t agents_count = 3;
  static constexpr uint32_t shards_count = 2;
  static constexpr auto sizes = learn::batch_sizes{50, 20, 4}; // 5, 5 and 3 micro-batches

private:
  [[nodiscard]] coordinator_core::config config() const;
  double draw() { return static_cast<double>(random_() >> 11) / 9007199254740992.0; }
  void send(role_id to, message m);
  void deliver();
  void tick();
  void start_agent(uint32_t i);
  shard_core make_shard(uint32_t k);
  [[nodiscard]] join word_of(uint32_t k) const {
    return {shards_[k].self(), shards_[k].version(), shards_[k].loaded(), shards_[k].rewound()};
  }
  // What the directory brings about; inside a process nothing of it is lost.
  void everybody_joins();
  void kill();
  void kill_agent();

  void agent_gets(uint32_t i, const message& m);
  void do_agent(uint32_t i, const agent_core::actions& actions);
  void split(uint32_t i, const split_lease& word);
  void compute(uint32_t i, const agent_core::compute& c);
  void push(uint32_t i, const worked& w);

  void aggregator_gets(uint32_t first, const message& m);
  void do_aggregator(uint32_t first, const aggregator_core::actions& actions);
  void start_aggregator(uint32_t first);
  void kill_aggregator();

  void shard_gets(uint32_t k, const message& m);
  std::optional<commit_step> apply(uint32_t k, step at);
  void report(uint32_t k);
  void publish(uint32_t k, const member& to);

  [[nodiscard]] broker_core make_broker() const;
  void broker_gets(const message& m);
  void coordinator_gets(const message& m);
  void do_coordinator(const coordinator_core::actions& actions);

  std::mt19937_64 random_;
  pace pace_;
  learn::exchange_options exchange_;
  mishaps mishaps_;
  int deaths_ = 0;
  bool finished_ = false;
  std::vector<std::pair<role_id, message>> queue_;
  std::map<uint32_t, uint64_t> starts_;
  std::map<uint32_t, uint64_t> shard_starts_;
  uint64_t broker_starts_ = 1;
  int lost_ = 0;
  bool restore_ = false;
  std::map<uint32_t, agent_core> agents_;
  std::map<uint32_t, std::vector<worked>> work_;
  using contents = std::map<std::tuple<step, block_id, tree_node>, content>;
  struct adding_up {
    aggregator_core core;
    contents kept = {};
    contents sums = {};
  };
  uint32_t fan_in_;
  std::map<uint32_t, uint64_t> aggregator_starts_;
  std::map<uint32_t, adding_up> aggregators_; // by the first agent of their group
  std::vector<shard_core> shards_;
  std::vector<contents> sums_;
  std::vector<uint32_t> loaded_;
  broker_core broker_;
  std::shared_ptr<run_log> log_ = std::make_shared<run_log>();
  coordinator_core coordinator_;
};

} // namespace troupe::test
