#include "actors/job_order.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "actors/data_parallel.hpp"

namespace troupe {
namespace {

// No job has more (R13).
constexpr size_t most_nodes = 4096;

} // namespace

follow_job order_of(const job_options& o, const job_description& what) {
  auto order = follow_job{};
  order.job = what.job_id;
  order.term = {1};
  order.what = what;
  order.sync = o.sync;
  order.agents = static_cast<uint32_t>(o.agents);
  order.least_agents = static_cast<uint32_t>(o.least_agents);
  order.epochs = o.epochs;
  order.steps = o.steps;
  order.learning_rate = o.optimizer.learning_rate;
  order.clip_norm = o.optimizer.clip_norm;
  order.schedule = static_cast<uint8_t>(o.schedule.kind);
  order.warmup_steps = o.schedule.warmup_steps;
  order.step_every = o.schedule.step_every;
  order.step_factor = o.schedule.step_factor;
  order.total_steps = o.schedule.total_steps;
  order.on_nonfinite = static_cast<uint8_t>(o.on_nonfinite);
  order.checkpoint_every = o.checkpoint_every;
  order.target_accuracy = o.target_accuracy;
  order.log_every = o.log_every;
  order.evaluate = o.evaluate;
  order.nodes = o.nodes;
  return order;
}

expected<job_options> options_of(const follow_job& order, const hosted_job& opened) {
  auto& d = order.what;
  auto numbers = {order.learning_rate, order.clip_norm, order.step_factor, static_cast<float>(order.target_accuracy)};
  auto kinds = order.schedule <= static_cast<uint8_t>(learn::schedule_kind::cosine) &&
               order.on_nonfinite <= static_cast<uint8_t>(nonfinite::rewind) &&
               d.order <= static_cast<uint8_t>(learn::order_kind::sequential) && d.exchange == 0 &&
               d.arithmetic <= static_cast<uint8_t>(learn::precision::bf16);
  auto some_nodes = !order.nodes.empty() && order.nodes.size() <= most_nodes;
  const auto* sync = d.ring ? "ring" : d.sharded ? "sharded" : d.fan_in != 0 ? "tree" : "ps";
  if (!kinds || !some_nodes || order.sync != sync || d.batch == 0 || d.micro_batch == 0 ||
      !std::ranges::all_of(numbers, [](float x) { return std::isfinite(x); }) || order.agents > most_nodes ||
      order.least_agents > order.agents || d.local.steps != 1 || d.gossip || d.held.apart)
    return fail("this is no order that a leader gives");
  auto o = job_options{};
  o.model = d.model;
  o.data = d.data;
  o.sync = order.sync;
  o.fan_in = static_cast<int>(d.fan_in);
  o.staleness = d.in_order ? d.ahead : 0;
  o.asynchronous = !d.in_order;
  o.agents = static_cast<int>(order.agents);
  o.least_agents = static_cast<int>(order.least_agents);
  o.reproducible = d.reproducible;
  o.shards = o.sync == "ps" || o.sync == "tree" ? static_cast<int>(d.shards) : 0;
  o.batch = d.batch;
  o.micro_batch = d.micro_batch;
  o.epochs = order.epochs;
  o.steps = order.steps;
  o.combine = opened.combine();
  o.compression = opened.compression();
  o.optimizer = opened.optimizer();
  o.optimizer.learning_rate = order.learning_rate;
  o.optimizer.clip_norm = order.clip_norm;
  o.schedule = {static_cast<learn::schedule_kind>(order.schedule), order.warmup_steps, order.step_every,
                order.step_factor, order.total_steps};
  o.precision = static_cast<learn::precision>(d.arithmetic);
  o.threads = static_cast<int>(d.threads);
  o.nodes = order.nodes;
  o.seed = d.seed;
  o.order = static_cast<learn::order_kind>(d.order);
  o.augment = d.augment;
  o.on_nonfinite = static_cast<nonfinite>(order.on_nonfinite);
  o.handler_limit = std::chrono::milliseconds{d.handler_limit_ms};
  o.checkpoint_every = order.checkpoint_every;
  o.target_accuracy = order.target_accuracy;
  o.log_every = order.log_every;
  o.evaluate = order.evaluate;
  if (auto possible = resolve(o); !possible)
    return tl::unexpected(possible.error());
  return o;
}

} // namespace troupe
