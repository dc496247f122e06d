#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "actors/all_reduce_schedule.hpp"
#include "actors/coordinator.hpp"
#include "actors/hosted_job.hpp"
#include "actors/lock_journal.hpp"
#include "supervision/fault_points.hpp"
#include "supervision/run_tree.hpp"
#include "tests/simulation/training_rules.hpp"
#include "tests/support/simulation.hpp"

namespace troupe::testing {

/// Which roles live where, and who may die.
struct training_shape {
  uint32_t agents = 3;
  bool agents_apart = true; ///< each on a host of its own; else with the coordinator
  learn::batch_sizes sizes = {.samples = 50, .batch = 20, .micro_batch = 4}; ///< 5, 5 and 3 micro-batches
  uint32_t shards = 2;
  bool shards_apart = true;  ///< each holder on a host of its own; else with the coordinator
  uint32_t shard_hosts = 0;  ///< so many instead, on a hash ring, with replicas; they come, go and crash
  bool sharded = false;      ///< instead: each on the host of the agent of its number, which crashes too
  bool replicated = false;   ///< with `sharded`: on a hash ring of the agents' hosts, with replicas
  bool broker_apart = false; ///< on a host of its own, which crashes too
  mortality holders = mortality::immortal;
  mortality broker = mortality::immortal;
  uint64_t epochs = 3;
  troupe::pace pace;
  uint32_t fan_in = 0; ///< so many agents share an aggregator, which lives with the first of them; 0: there are none
  bool ring = false;   ///< each agent has a ring peer; there are no shards
  all_reduce_schedule reduce = all_reduce_schedule::ring; ///< with `ring`: how they do
  bool reproducible = false;                              ///< with `ring`: along the tree over micro-batches
  bool gossip = false;                                    ///< instead: a gossip peer
  uint64_t local_steps = 1;
  learn::combine_options combine = {};
  learn::compression_kind compression = learn::compression_kind::none;
  uint64_t checkpoint_every = 0; ///< steps; 0: none, where there is a `saver`
  /// Who has which samples; with shards of the data set there is one for each agent.
  learn::exchange_kind exchange = learn::exchange_kind::global;
  bool samples_apart = false; ///< only the coordinator's host has the data set; each agent's holds a shard of it
  bool compare = true;        ///< with the undisturbed run; needs the synchronous pace
  nanoseconds work_time = std::chrono::milliseconds{20}; ///< most that a piece of work takes
};

/// Whether the parameters are to be those of the undisturbed run, bit by bit.
[[nodiscard]] inline bool has_its_bits(const training_shape& shape) {
  return shape.compare && (!shape.ring || shape.reproducible);
}

/// What is to go wrong at the fault points within the roles' handlers, beside the storm between them: nothing in half
/// of the runs.
std::vector<fault> draw_faults(dice& with, const training_shape& shape);

/// The real roles of a training job under a real supervision tree, over simulated hosts. Everything that agents are
/// sent is compared with the undisturbed run.
class training_world {
public:
  /// One process each, which outlive the runs on them.
  struct hosts {
    host leader;
    std::optional<host> broker;
    std::vector<host> shards;
    std::vector<host> agents;
  };
  static hosts add_hosts(simulation& world, const training_shape& shape);

  using saver = std::function<expected<void>(const model_state&, fencing_token)>;

  /// `save` comes with the journal of the locks under which it is called.
  training_world(simulation& world, training_shape shape, hosts where, std::shared_ptr<const model_state> initial = {},
                 saver save = {}, std::shared_ptr<lock_journal> journal = std::make_shared<lock_journal>(),
                 std::shared_ptr<troupe::ledger> ledger = {});
  ~training_world();
  training_world(const training_world&) = delete;
  training_world& operator=(const training_world&) = delete;

  [[nodiscard]] bool is_ready() const { return ready_; }
  /// Its leader is done, or the tree has given up.
  [[nodiscard]] bool has_ended() const { return end_.has_value(); }
  [[nodiscard]] const std::optional<expected<run_outcome>>& outcome() const { return outcome_; }
  /// All its hosts have crashed: what is handled from now on is another's.
  void retire() { retired_ = true; }
  /// The end is a good one.
  void check_end();

  [[nodiscard]] const learn::layout& layout() const { return model_->layout(); }
  static std::shared_ptr<const model_state> first_state();
  /// What the ledger of a run begins with.
  static ledger_head ledger_from(step first);

  /// Called with every message of parameters that an agent gets.
  std::function<void(const parameters&)> on_parameters;

private:
  struct opened {
    uint64_t life; ///< of its host
    std::shared_ptr<hosted_job> job;
    std::shared_ptr<shard_vault> vault; ///< what outlives the shard holders on this host
    std::map<role_id, gpu::device> devices = {};
    std::optional<gpu::device> journal_lane = {};
  };
  struct known_role {
    incarnation number;
    caf::weak_actor_ptr actor;
    host where;
  };

  const std::shared_ptr<hosted_job>& job_on(host where);
  const std::shared_ptr<shard_vault>& vault_on(host where);
  gpu::device device_of(const role_id& role, host where);
  host ring_host(uint32_t index) const;
  startable placed(const role_id& id, mortality may_end, const std::function<uint32_t(const start_context&)>& place,
                   const std::function<caf::actor(const start_context&, uint32_t)>& spawn);
  void shuffle_hosts();
  void tell(const role_id& role, host to);
  void reconnect(host a, host b);
  void check(const parameters& p);
  void check_alike(const parameters& p);
  void check_near(const parameters& p);
  double gossip_limit() const;
  void check(const commit_step& c);
  void handles(const handling& h);
  /// Starts a role where it lives and makes it known everywhere.
  template <class Spawn>
  startable role(const role_id& id, host where, mortality may_end, Spawn spawn);
  supervision_tree tree();
  coordinator::config leader_config();

  simulation& world_;
  training_shape shape_;
  hosts where_;
  std::shared_ptr<const learn::model> model_;
  learn::data_source data_;
  std::shared_ptr<const model_state> initial_;
  saver save_;
  std::shared_ptr<lock_journal> journal_;
  std::shared_ptr<ledger> ledger_;
  std::shared_ptr<run_record> record_;   ///< what outlives the coordinator
  std::shared_ptr<shard_placer> placer_; ///< with `shard_hosts`
  std::map<host, opened> jobs_;
  std::map<role_id, known_role> roles_;
  // What is said of versions since the run last went back, where it is not known beforehand.
  view since_;
  std::map<std::pair<step, size_t>, std::vector<float>> said_; ///< by version and block
  std::map<step, step> order_;                                 ///< by version: the step that was applied to it
  bool lost_peer_ = false;                                     ///< with all that it held
  uint32_t lost_shards_ = 0;                                   ///< times that a holder ended
  training_rules rules_;
  bool retired_ = false;
  bool ready_ = false;
  std::optional<running_tree> tree_;
  std::optional<tree_end> end_;
  std::optional<expected<run_outcome>> outcome_;
};

/// A run of that shape through a storm, from its beginning to its end.
void train_in_a_storm(simulation& world, const training_shape& shape);

} // namespace troupe::testing
