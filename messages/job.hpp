#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/ids.hpp"

namespace troupe {

/// learn::optimizer_options, but for what the coordinator decides about.
struct optimizer_description {
  uint8_t kind = 0;
  bool nesterov = false;
  float momentum = 0;
  float beta1 = 0;
  float beta2 = 0;
  float alpha = 0;
  float epsilon = 0;
  float weight_decay = 0;
  float statistic_momentum = 0;

  template <class Inspector>
  friend bool inspect(Inspector& f, optimizer_description& x) {
    return f.object(x).fields(f.field("kind", x.kind), f.field("nesterov", x.nesterov), f.field("momentum", x.momentum),
                              f.field("beta1", x.beta1), f.field("beta2", x.beta2), f.field("alpha", x.alpha),
                              f.field("epsilon", x.epsilon), f.field("weight_decay", x.weight_decay),
                              f.field("statistic_momentum", x.statistic_momentum));
  }
};

/// learn::local_steps::options.
struct local_description {
  uint64_t steps = 1; ///< between two averages; 1: agents contribute gradients
  optimizer_description optimizer;
  float learning_rate = 0;
  uint8_t schedule = 0; ///< learn::schedule_options, in local steps
  uint64_t warmup_steps = 0;
  uint64_t step_every = 0;
  float step_factor = 0;
  uint64_t total_steps = 0;

  template <class Inspector>
  friend bool inspect(Inspector& f, local_description& x) {
    return f.object(x).fields(f.field("steps", x.steps), f.field("optimizer", x.optimizer),
                              f.field("learning_rate", x.learning_rate), f.field("schedule", x.schedule),
                              f.field("warmup_steps", x.warmup_steps), f.field("step_every", x.step_every),
                              f.field("step_factor", x.step_factor), f.field("total_steps", x.total_steps));
  }
};

/// A data set that the processes of agents do not open: they hold shards of it (`sample_keeper`).
struct held_description {
  bool apart = false; ///< else every process opens the data set
  std::string name;   ///< of the data set
  uint64_t test_samples = 0;
  uint64_t last_epoch = 0;   ///< no shard is fetched for a later one
  std::vector<float> scales; ///< learn::sample_form, by channel
  std::vector<float> shifts;
  std::string folder; ///< for shards, on the host where the agent runs; empty: they are held in memory

  template <class Inspector>
  friend bool inspect(Inspector& f, held_description& x) {
    return f.object(x).fields(f.field("apart", x.apart), f.field("name", x.name),
                              f.field("test_samples", x.test_samples), f.field("last_epoch", x.last_epoch),
                              f.field("scales", x.scales), f.field("shifts", x.shifts), f.field("folder", x.folder));
  }
};

/// What a process must know to host an agent of a job; sent once, when the agent is spawned. Everything else an agent
/// needs is a pure function of this and of its leases.
struct job_description {
  std::string job_id;
  std::string model;
  uint32_t channels = 1, height = 1, width = 1; ///< of a sample
  uint32_t classes = 10;
  uint8_t arithmetic = 0; ///< learn::precision
  std::string data;       ///< name or folder, on the host where the agent runs; empty where it is not opened there
  held_description held;
  uint64_t seed = 0;
  uint8_t order = 0;        ///< learn::order_kind
  uint8_t exchange = 0;     ///< learn::exchange_kind
  uint32_t data_shards = 1; ///< with an exchange of shards: how many
  bool augment = false;
  uint64_t samples = 0; ///< of the training set; a host whose set differs refuses
  uint64_t batch = 0;
  uint64_t micro_batch = 0;
  uint32_t shards = 1;
  uint64_t ahead = 0;        ///< pace::ahead
  bool in_order = true;      ///< pace::in_order
  bool ring = false;         ///< agents have ring peers; else there are shard holders
  bool reproducible = false; ///< with `ring`: the sum follows the tree over micro-batches
  bool gossip = false;       ///< agents have gossip peers instead
  uint64_t meet_every = 0; ///< with gossip: all meet at multiples of so many steps, too; 0: at the ends of epochs only
  uint64_t last_step = 0;  ///< with gossip: where the run stops; all meet there
  bool sharded = false;    ///< each shard holder lives beside the agent of its number
  uint32_t fan_in = 0;     ///< agents whose gradients one aggregator adds up; 0: they push to the shard holders
  local_description local; ///< with gossip: of one step, the update that each peer makes
  uint8_t compression = 0; ///< learn::compression_options
  float compression_keep = 0;
  uint8_t combine = 0; ///< learn::combine_options
  float combine_bad = 0;
  uint32_t combine_bucket = 1;
  optimizer_description optimizer; ///< of peers and of shard holders beside agents
  uint32_t threads = 1;            ///< per agent
  uint64_t handler_limit_ms =
    0; ///< an agent that works on one message for longer is stuck, and its process ends; 0: no limit

  template <class Inspector>
  friend bool inspect(Inspector& f, job_description& x) {
    return f.object(x).fields(
      f.field("job_id", x.job_id), f.field("model", x.model), f.field("channels", x.channels),
      f.field("height", x.height), f.field("width", x.width), f.field("classes", x.classes),
      f.field("arithmetic", x.arithmetic), f.field("data", x.data), f.field("held", x.held), f.field("seed", x.seed),
      f.field("order", x.order), f.field("exchange", x.exchange), f.field("data_shards", x.data_shards),
      f.field("augment", x.augment), f.field("samples", x.samples), f.field("batch", x.batch),
      f.field("micro_batch", x.micro_batch), f.field("shards", x.shards), f.field("ahead", x.ahead),
      f.field("in_order", x.in_order), f.field("ring", x.ring), f.field("reproducible", x.reproducible),
      f.field("gossip", x.gossip), f.field("meet_every", x.meet_every), f.field("last_step", x.last_step),
      f.field("sharded", x.sharded), f.field("fan_in", x.fan_in), f.field("optimizer", x.optimizer),
      f.field("local", x.local), f.field("compression", x.compression), f.field("compression_keep", x.compression_keep),
      f.field("combine", x.combine), f.field("combine_bad", x.combine_bad), f.field("combine_bucket", x.combine_bucket),
      f.field("threads", x.threads), f.field("handler_limit_ms", x.handler_limit_ms));
  }
};

} // namespace troupe
