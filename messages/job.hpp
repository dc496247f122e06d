#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/ids.hpp"

namespace troupe {

/// What a process must know to host an agent of a job; sent once, when the agent is spawned. Everything else an agent
/// needs is a pure function of this and of its leases.
struct job_description {
  std::string job_id;
  std::string model;
  uint32_t channels = 1, height = 1, width = 1; ///< of a sample
  uint32_t classes = 10;
  uint8_t arithmetic = 0; ///< learn::precision
  std::string data;       ///< name or folder, on the host where the agent runs
  uint64_t seed = 0;
  uint8_t order = 0; ///< learn::order_kind
  bool augment = false;
  uint64_t samples = 0; ///< of the training set; a host whose set differs refuses
  uint64_t batch = 0;
  uint64_t micro_batch = 0;
  uint32_t shards = 1;
  uint64_t ahead = 0;   ///< pace::ahead
  bool in_order = true; ///< pace::in_order
  bool ring = false;    ///< agents have ring peers; else there are shard holders
  uint32_t threads = 1; ///< per agent
  uint64_t handler_limit_ms =
    0; ///< an agent that works on one message for longer is stuck, and its process ends; 0: no limit

  template <class Inspector>
  friend bool inspect(Inspector& f, job_description& x) {
    return f.object(x).fields(f.field("job_id", x.job_id), f.field("model", x.model), f.field("channels", x.channels),
                              f.field("height", x.height), f.field("width", x.width), f.field("classes", x.classes),
                              f.field("arithmetic", x.arithmetic), f.field("data", x.data), f.field("seed", x.seed),
                              f.field("order", x.order), f.field("augment", x.augment), f.field("samples", x.samples),
                              f.field("batch", x.batch), f.field("micro_batch", x.micro_batch),
                              f.field("shards", x.shards), f.field("ahead", x.ahead), f.field("in_order", x.in_order),
                              f.field("ring", x.ring), f.field("threads", x.threads),
                              f.field("handler_limit_ms", x.handler_limit_ms));
  }
};

} // namespace troupe
