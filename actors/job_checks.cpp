#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <thread>

#include "actors/data_parallel.hpp"
#include "actors/groups.hpp"
#include "actors/mode_change.hpp"
#include "actors/node_link.hpp"
#include "actors/planned_faults.hpp"

namespace troupe {
namespace {

// Why a job cannot have a standby, in a sentence; nothing: it can.
std::optional<failure> no_standby_for(const job_options& o) {
  if (o.nodes.empty())
    return failure{
      "--standby is for a job whose agents live on other hosts and outlive this one: name their nodes with "
      "--nodes, or leave it out"};
  if (o.sync == "gossip")
    return failure{
      "agents that gossip have no state in common that a standby could go on from: leave out --standby, or "
      "choose --sync ps or ring"};
  if (o.local_steps > 1)
    return failure{"a standby does not take over local steps yet: leave out --standby or --local-steps"};
  if (o.exchange != learn::exchange_kind::global)
    return failure{fmt::format("with --exchange {} this process hands out the data set, which a standby does not take "
                               "over yet: leave out --standby or --exchange",
                               learn::to_string(o.exchange))};
  if (o.place != place_rule::spread)
    return failure{
      fmt::format("a standby places agents anew, on the nodes that are left, and cannot promise --place {}: "
                  "leave out --standby or --place",
                  to_string(o.place))};
  if (auto address = parse_address(o.standby); !address)
    return address.error();
  return std::nullopt;
}

// Gradients of so many steps are kept at a time (R13).
constexpr uint64_t max_staleness = 64;

// The largest divisor of `batch` that yields at least one micro-batch per agent.
size_t default_micro_batch(size_t batch, size_t agents) {
  for (auto n = agents; n <= batch; ++n)
    if (batch % n == 0)
      return batch / n;
  return 1;
}

// What the bits of a result depend on, and what is otherwise chosen to suit the number of agents: how a batch is cut,
// and how many threads share the work on a micro-batch.
void choose_for_any_number_of_agents(job_options& o) {
  if (o.micro_batch == 0)
    o.micro_batch = default_micro_batch(o.batch, std::min<size_t>(o.batch, 8));
  if (o.threads == 0)
    o.threads = 1;
}

bool has_processes(const job_options& o) {
  return o.isolation == isolation::process || !o.nodes.empty();
}

// Shard holders, beside the agents or not.
bool has_shards(const job_options& o) {
  return o.sync != "ring" && o.sync != "gossip";
}

// What each agent contributes comes there as it is.
bool pushes_to_shards(const job_options& o) {
  return has_shards(o) && o.sync != "tree";
}

expected<void> check_gossip(const job_options& o) {
  if (o.asynchronous || o.staleness != 0)
    return fail("agents that gossip keep in step: leave out --staleness, or choose --sync ps");
  if (o.shards != 0)
    return fail("agents that gossip hold all parameters themselves: leave out --shards, or choose --sync ps");
  if (o.local_steps > 1)
    return fail("agents that gossip average after every step: leave out --local-steps, or choose --sync ps or ring");
  if (o.optimizer.clip_norm > 0)
    return fail("agents that gossip never have the gradient of the whole batch: leave out --clip-norm, or choose "
                "--sync ps or ring");
  if (o.on_nonfinite == nonfinite::skip)
    return fail("agents that gossip cannot leave out a step that one of them has computed: leave out --on-nan skip, or "
                "choose --on-nan rewind");
  return {};
}

expected<void> check_sync(const job_options& o) {
  if (o.sync != "ps" && o.sync != "sharded" && o.sync != "tree" && o.sync != "ring" && o.sync != "gossip")
    return fail(fmt::format("there is no way to synchronise called \"{}\": choose ps (parameter shards), sharded (each "
                            "agent holds its part of the parameters), tree (parameter shards by way of aggregators), "
                            "ring (all-reduce) or gossip (each agent averages with one other at a time)",
                            o.sync));
  if (o.reproducible && o.sync == "gossip")
    return fail("agents that gossip have a replica each, so what they end with depends on their number: leave out "
                "--reproducible, or choose --sync ps or ring");
  if (o.reproducible && (o.asynchronous || o.staleness != 0))
    return fail("only agents that keep in step end with the same bits whatever their number: leave out --reproducible "
                "or --staleness");
  if (o.sync == "ring" && (o.asynchronous || o.staleness != 0))
    return fail("agents in a ring keep in step: leave out --staleness, or choose --sync ps");
  if (o.sync == "ring" && o.shards != 0)
    return fail("agents in a ring hold all parameters themselves: leave out --shards, or choose --sync ps");
  if (o.sync == "gossip")
    return check_gossip(o);
  if (o.sync == "sharded" && o.shards != 0)
    return fail("each agent holds its part of the parameters itself: leave out --shards, or choose --sync ps");
  return {};
}

expected<void> check_local_steps(const job_options& o) {
  if (o.local_steps == 0)
    return fail("agents take at least 1 local step: leave out --local-steps, or give a number");
  if (o.local_steps == 1 && (o.outer_rate != 1 || o.outer_momentum != 0))
    return fail("--outer-lr and --outer-momentum say what becomes of --local-steps: give that as well");
  if (o.local_steps > 1 && o.optimizer.clip_norm > 0)
    return fail("there is no gradient that agents with --local-steps share: leave out --clip-norm");
  if (o.outer_rate <= 0 || o.outer_momentum < 0 || o.outer_momentum >= 1)
    return fail("the outer optimiser needs a learning rate above 0 and a momentum from 0 to less than 1");
  return {};
}

expected<void> check_tree(const job_options& o) {
  if (o.sync != "tree" && o.fan_in != 0)
    return fail("--fan-in says how many agents share an aggregator: choose --sync tree, or leave out --fan-in");
  if (o.fan_in == 1 || o.fan_in < 0)
    return fail("an aggregator adds up what at least 2 agents contribute: choose a --fan-in from 2 on");
  if (o.sync == "tree" && o.asynchronous)
    return fail("an asynchronous step is one agent's work, so aggregators have nothing to add up: choose --sync ps, or "
                "a number of updates for --staleness");
  return {};
}

expected<void> check_exchange(const job_options& o) {
  if (!o.shard_dir.empty() && !holds_samples_apart(o))
    return fail("--shard-dir says where the processes of agents keep their shards of the data set: give --exchange "
                "static or rotate, and --isolation process or --nodes, or leave it out");
  if (o.exchange == learn::exchange_kind::global)
    return {};
  auto how = learn::to_string(o.exchange);
  if (o.asynchronous)
    return fail(fmt::format("an asynchronous step is one agent's work and has samples of every shard: leave out "
                            "--exchange {}, or choose a number of updates for --staleness",
                            how));
  if (o.reproducible)
    return fail(fmt::format("with --exchange {} there is a shard of the data set for each agent, so the samples of a "
                            "step depend on their number: leave out --exchange or --reproducible",
                            how));
  return {};
}

// `o.micro_batch` is known.
expected<void> check_combine(const job_options& o) {
  auto how = learn::to_string(o.combine);
  if (!o.combine.is_robust())
    return {};
  if (!has_shards(o) || o.asynchronous)
    return fail(
      fmt::format("--combine {} looks at what all agents contribute to a step, at the parameter shards: leave "
                  "out --combine, or --sync and --staleness async",
                  how));
  if (o.combine.kind == learn::combine_kind::krum && o.optimizer.clip_norm > 0)
    return fail("--combine krum takes one contribution as it is: leave out --clip-norm");
  auto bucketed = o.combine.bucket > 1;
  auto there = o.combine.contributions(static_cast<uint64_t>(o.batch / o.micro_batch));
  if (there < o.combine.fewest())
    return fail(fmt::format("--combine {} needs at least {} {} per step, and there are {}: choose a smaller "
                            "--micro-batch than {}{}",
                            how, o.combine.fewest(), bucketed ? "buckets of micro-batches" : "micro-batches", there,
                            o.micro_batch, bucketed ? ", or smaller buckets" : ""));
  return {};
}

} // namespace

expected<job_options> resolve(job_options o) {
  if (std::getenv("TROUPE_WORKER_PROCESS") != nullptr)
    return fail(
      "this process was started to host agents of another one: let main() call run_node for `node …` arguments, as the "
      "troupe command does, or name the troupe command as the worker program");
  auto names = learn::model_names();
  if (std::find(names.begin(), names.end(), o.model) == names.end())
    return fail(fmt::format("there is no model \"{}\": choose one of {}", o.model, fmt::join(names, ", ")));
  if (auto ok = check_sync(o); !ok)
    return tl::unexpected(ok.error());
  if (auto ok = check_tree(o); !ok)
    return tl::unexpected(ok.error());
  if (auto ok = check_local_steps(o); !ok)
    return tl::unexpected(ok.error());
  if (auto ok = check_exchange(o); !ok)
    return tl::unexpected(ok.error());
  auto compresses = o.compression.kind != learn::compression_kind::none;
  if (compresses && !pushes_to_shards(o))
    return fail(
      "only gradients on their way to parameter shards are compressed: leave out --compress, or choose --sync "
      "ps");
  if (compresses && o.reproducible)
    return fail("what compression loses depends on who computes what: leave out --compress or --reproducible");
  if (o.asynchronous && o.staleness != 0)
    return fail("--staleness is either a number of updates or async");
  if (o.staleness > max_staleness)
    return fail(fmt::format("a staleness of {} steps: choose at most {}, or async", o.staleness, max_staleness));
  if (o.device != "cpu")
    return fail(fmt::format("there is no device \"{}\" here: choose cpu", o.device));
  if (o.agents < 1)
    return fail("a run needs at least 1 agent");
  if (o.batch < 1)
    return fail("a batch needs at least 1 sample");
  if (o.least_agents < 0 || o.least_agents > o.agents)
    return fail(fmt::format("a run of at most {} agents cannot wait for {}", o.agents, o.least_agents));
  if (o.least_agents == 0)
    o.least_agents = o.agents;
  auto agents = static_cast<size_t>(o.agents);
  if (agents > o.batch)
    return fail(fmt::format("{} agents cannot share a batch of {} samples: use at most {} agents or a larger --batch",
                            agents, o.batch, o.batch));
  if (o.reproducible)
    choose_for_any_number_of_agents(o);
  if (o.micro_batch == 0)
    o.micro_batch = default_micro_batch(o.batch, agents);
  if (o.batch % o.micro_batch != 0)
    return fail(fmt::format(
      "batch {} is not a multiple of micro-batch {}: choose a --micro-batch that divides it, such as {}", o.batch,
      o.micro_batch, default_micro_batch(o.batch, std::max<size_t>(o.batch / std::max<size_t>(o.micro_batch, 1), 1))));
  if (agents > o.batch / o.micro_batch)
    return fail(fmt::format(
      "{} agents but only {} micro-batches per step: use at most {} agents or a smaller --micro-batch than {}", agents,
      o.batch / o.micro_batch, o.batch / o.micro_batch, o.micro_batch));
  if (auto ok = check_combine(o); !ok)
    return tl::unexpected(ok.error());
  if (o.epochs == 0 && o.steps == 0)
    return fail("nothing says when to stop: give --epochs or --steps");
  if (o.optimizer.learning_rate <= 0)
    return fail(fmt::format("the learning rate is {}: it must be positive", o.optimizer.learning_rate));
  if (o.target_accuracy < 0 || o.target_accuracy > 1)
    return fail(fmt::format("the target accuracy is {}: it is a fraction between 0 and 1", o.target_accuracy));
  if (o.resume && o.checkpoint.empty())
    return fail("--resume needs --checkpoint, the folder to resume from");
  if (o.resume && !o.init.empty())
    return fail("--resume and --init both say where to start from: give one of them");
  if (o.isolation == isolation::process && !o.nodes.empty())
    return fail("--isolation process and --nodes both say where agents run: give one of them");
  if (!o.certs.empty() && o.nodes.empty())
    return fail(
      "--certs is for a job whose agents live on other hosts: name their nodes with --nodes, or leave it out");
  if (!o.standby.empty())
    if (auto why = no_standby_for(o))
      return tl::unexpected(*why);
  if (o.threads < 0)
    return fail(fmt::format("{} threads: give at least 1, or 0 for a fair share of the cores", o.threads));
  if (o.log_every == 0)
    o.log_every = 1;
  for (auto& n : o.nodes)
    if (auto parsed = parse_address(n); !parsed)
      return tl::unexpected(parsed.error());
  if (auto places = place_agents(o); !places)
    return tl::unexpected(places.error());
  if (o.threads == 0)
    o.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / o.agents);
  if (o.order == learn::order_kind::sequential)
    o.augment = false;
  if (!has_shards(o))
    o.shards = 1; // each peer has all blocks
  if (o.sync == "sharded")
    o.shards = o.agents; // whoever joins later takes its part
  if (o.sync == "tree" && o.fan_in == 0)
    o.fan_in = static_cast<int>(usual_fan_in(static_cast<uint32_t>(o.agents)));
  if (o.shards == 0)
    o.shards = o.agents; // at most one per block; cut down when the model is known
  if (auto ok = check_faults(o); !ok)
    return tl::unexpected(ok.error());
  return o;
}

expected<void> validate(const job_options& options) {
  auto parts = parts_of(options);
  if (!parts)
    return tl::unexpected(parts.error());
  return {};
}

supervision_tree shape_of(const job_options& o) {
  auto nothing = [](const start_context&) -> started { return failure{"a description cannot be started"}; };
  auto numbered = [&](const char* kind, int n, int first = 0, int apart = 1) {
    auto list = std::vector<startable>{};
    for (int i = first; i < n; i += apart)
      list.emplace_back(fmt::format("{}/{}", kind, i), nothing);
    return list;
  };
  using namespace std::chrono_literals;
  auto tree = supervise("training", one_for_one, at_most(3, 1min));
  tree.child(startable{"lock_service/0", nothing})
    .child(startable{"data_broker/0", nothing})
    .child(!has_shards(o) ? supervise_agents("peers").child(
                              numbered(o.sync == "ring" ? "ring_peer" : "gossip_peer", o.agents), transient)
           : o.sync == "sharded"
             ? supervise_agents("shards")
                 .child(numbered("shard_holder", o.shards))
                 .child(numbered("shard_replica", has_processes(o) ? o.shards : 0))
             : supervise("shards", one_for_all, at_most(3, 1min)).child(numbered("shard_holder", o.shards)));
  if (o.sync == "tree")
    tree.child(supervise_agents("aggregators").child(numbered("aggregator", o.agents, 0, o.fan_in)));
  const auto keepers = holds_samples_apart(o);
  if (keepers)
    tree.child(supervise_agents("samples")
                 .child(startable{fmt::format("{}/0", source_kind), nothing}, transient)
                 .child(numbered(keeper_kind, o.least_agents), transient));
  tree.child(supervise_agents("agents").child(numbered("agent", o.least_agents), transient))
    .child(startable{"coordinator/0", nothing}, transient, significant);
  auto joiners = std::vector<startable>{};
  for (int i = o.least_agents; i < o.agents; ++i)
    for (auto* kind : {keeper_kind, "agent"})
      if (keepers || kind != keeper_kind)
        joiners.emplace_back(fmt::format("{}/{}", kind, i), nothing);
  if (!joiners.empty())
    tree.child(supervise_agents("joiners").child(joiners, transient), temporary);
  return tree;
}

expected<std::string> describe_tree(const job_options& options) {
  auto parts = parts_of(options);
  if (!parts)
    return tl::unexpected(parts.error());
  auto text = std::string{};
  auto from = uint64_t{0};
  for (auto& part : *parts) {
    if (from != 0)
      text += fmt::format("\nfrom step {} on:\n", from);
    text += print_tree(shape_of(resolve(part.options).value()));
    from = part.until;
  }
  return text;
}

} // namespace troupe
