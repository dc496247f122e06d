#include "actors/data_parallel.hpp"

#include <algorithm>
#include <atomic>
#include <fmt/format.h>
#include <map>
#include <mutex>
#include <numeric>

#include <caf/io/middleman.hpp>

#include "actors/agent.hpp"
#include "actors/aggregator.hpp"
#include "actors/data_broker.hpp"
#include "actors/drain.hpp"
#include "actors/gossip_peer.hpp"
#include "actors/initial_state.hpp"
#include "actors/job_order.hpp"
#include "actors/link_settings.hpp"
#include "actors/lock_service.hpp"
#include "actors/remote_agents.hpp"
#include "actors/ring_peer.hpp"
#include "actors/sample_source.hpp"
#include "actors/shard_holder.hpp"
#include "actors/shard_replica.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

pace pace_of(const job_options& o) {
  return o.asynchronous ? pace::asynchronous(static_cast<uint64_t>(o.agents)) : pace::bounded(o.staleness);
}

// Where the learning rate ends, if the options do not say: with the run.
learn::schedule_options whole_run(learn::schedule_options schedule, const job_options& o,
                                  const learn::batch_sizes& sizes) {
  if (schedule.total_steps == 0)
    schedule.total_steps = o.steps != 0 ? o.steps : o.epochs * learn::steps_per_epoch(sizes);
  return schedule;
}

learn::local_steps::options local_steps_of(const job_options& o, const job_description& d) {
  auto schedule = o.schedule;
  if (schedule.total_steps == 0)
    schedule.total_steps = whole_run({}, o, {d.samples, d.batch, d.micro_batch}).total_steps * o.local_steps;
  return {o.local_steps, o.optimizer, schedule};
}

// What the shard holders and peers do with what agents contribute. Local steps contribute differences of
// parameters, and the batch norms' statistics as they are.
learn::optimizer_options optimizer_of(const job_options& o) {
  if (o.local_steps == 1)
    return o.optimizer;
  return {.kind = o.outer_momentum > 0 ? learn::optimizer_kind::momentum : learn::optimizer_kind::sgd,
          .learning_rate = o.outer_rate,
          .momentum = o.outer_momentum,
          .nesterov = true,
          .statistic_momentum = 1};
}

uint64_t last_step_of(const job_options& o, const job_description& d) {
  auto of_epochs = o.epochs * learn::steps_per_epoch({d.samples, d.batch, d.micro_batch});
  return o.steps != 0 && (o.epochs == 0 || o.steps < of_epochs) ? o.steps : of_epochs;
}

job_description describe(const job_options& o, const learn::data_source& data) {
  auto shape = data.train->shape();
  auto d = job_description{};
  d.job_id = fmt::format("{}-{}", ::getpid(), o.seed);
  if (!o.standby.empty()) // of another host, too, that has the same nodes and the same standby
    d.job_id += '-' + draw_secret().substr(0, 16);
  d.model = o.model;
  d.channels = static_cast<uint32_t>(shape.channels);
  d.height = static_cast<uint32_t>(shape.height);
  d.width = static_cast<uint32_t>(shape.width);
  d.classes = static_cast<uint32_t>(data.train->classes());
  d.arithmetic = static_cast<uint8_t>(o.precision);
  d.data = o.data;
  if (holds_samples_apart(o)) {
    d.data.clear();
    d.held = describe_held(data);
    d.held.folder = o.shard_dir;
  }
  d.seed = o.seed;
  d.order = static_cast<uint8_t>(o.order);
  d.exchange = static_cast<uint8_t>(o.exchange);
  d.data_shards = static_cast<uint32_t>(o.agents);
  d.augment = o.augment;
  d.samples = data.train->size();
  d.batch = o.batch * o.local_steps; // a step is a round of local steps, a micro-batch a worker's samples for it
  d.micro_batch = o.micro_batch * o.local_steps;
  d.shards = static_cast<uint32_t>(o.shards);
  auto how = pace_of(o);
  d.ahead = how.ahead;
  d.in_order = how.in_order;
  d.ring = o.sync == "ring";
  d.reproducible = o.reproducible;
  d.gossip = o.sync == "gossip";
  d.sharded = o.sync == "sharded";
  d.fan_in = o.sync == "tree" ? static_cast<uint32_t>(o.fan_in) : 0;
  d.optimizer = troupe::describe(optimizer_of(o));
  if (auto sizes = learn::batch_sizes{d.samples, d.batch, d.micro_batch}; d.gossip) {
    if (!o.checkpoint.empty())
      d.meet_every = o.checkpoint_every != 0 ? o.checkpoint_every : learn::steps_per_epoch(sizes);
    d.last_step = last_step_of(o, d);
  }
  if (auto steps = learn::steps_per_epoch({d.samples, d.batch, d.micro_batch}); d.held.apart)
    d.held.last_epoch = (last_step_of(o, d) - 1) / steps;
  if (o.local_steps > 1 || d.gossip)
    d.local = troupe::describe(local_steps_of(o, d));
  d.combine = static_cast<uint8_t>(o.combine.kind);
  d.combine_bad = o.combine.bad;
  d.combine_bucket = o.combine.bucket;
  d.compression = static_cast<uint8_t>(o.compression.kind);
  d.compression_keep = o.compression.keep;
  d.threads = static_cast<uint32_t>(o.threads);
  d.handler_limit_ms = static_cast<uint64_t>(o.handler_limit.count());
  return d;
}

std::shared_ptr<lock_journal> journal_of(const job_options& o) {
  return o.checkpoint.empty() ? std::make_shared<lock_journal>()
                              : std::make_shared<lock_journal>(std::filesystem::path{o.checkpoint} / "locks");
}

std::shared_ptr<ledger> ledger_of(const job_options& o, const hosted_job& job, step first) {
  if (o.ledger.empty() && o.checkpoint.empty())
    return nullptr;
  auto folder = o.ledger.empty() ? std::filesystem::path{o.checkpoint} / "ledger" : std::filesystem::path{o.ledger};
  return std::make_shared<ledger>(std::move(folder), ledger_head{o.order, o.seed, job.sizes(), job.exchange(), first});
}

// Binds a started role, so that its peers find it.
template <class Handle>
Handle announce(const hosted_job& job, const role_id& role, incarnation number, const Handle& handle) {
  return job.roles->announce(role, number, handle);
}

} // namespace

expected<std::unique_ptr<data_parallel>> data_parallel::prepare(runtime& rt, const job_options& options,
                                                                job_observer observer, uint64_t until,
                                                                const std::optional<handover>& from) {
  if (!options.changes.empty())
    return fail("a change of how agents synchronise ends one topology and begins another: let run_job do so");
  auto resolved = resolve(options);
  if (!resolved)
    return tl::unexpected(resolved.error());
  auto o = std::move(*resolved);
  // Worker processes load their programs while this one opens data and model.
  auto remote = std::shared_ptr<remote_agents>{};
  if (o.isolation == isolation::process || !o.nodes.empty()) {
    auto made = remote_agents::make(rt.system(), o, rt.link().secret, from.has_value());
    if (!made)
      return tl::unexpected(made.error());
    remote = std::move(*made);
  }
  auto data = from ? expected<learn::data_source>{from->data} : learn::open_data(o.data, o.seed);
  if (!data)
    return tl::unexpected(data.error());
  auto model = from ? expected<std::shared_ptr<const learn::model>>{from->model}
                    : learn::make_model({o.model, data->train->shape(), data->train->classes(), o.precision});
  if (!model)
    return tl::unexpected(model.error());
  o.shards = std::min(o.shards, static_cast<int>((*model)->layout().blocks().size()));
  auto what = describe(o, *data);
  if (from)
    what.job_id = from->job_id.empty() ? fmt::format("{}-{}", what.job_id, from->state->version.value) : from->job_id;
  auto job = std::make_shared<hosted_job>(what, *model, *data, std::make_shared<directory>());
  auto initial = from ? expected<std::shared_ptr<const model_state>>{from->state} : initial_state(o, *job, observer);
  if (!initial)
    return tl::unexpected(initial.error());
  auto takes_over = from && !from->job_id.empty(); // perhaps where a node went with the leader
  if (remote && !takes_over)
    if (auto connected = remote->connect(*job); !connected)
      return tl::unexpected(connected.error());
  auto result = std::unique_ptr<data_parallel>(new data_parallel(rt, std::move(o), std::move(observer), std::move(job),
                                                                 std::move(*initial), std::move(remote), until));
  if (from)
    result->journal_->grant_above(from->tokens);
  if (!result->options_.standby.empty()) // which has to know how high its tokens may come to be
    if (auto opened = result->journal_->open(); !opened)
      return tl::unexpected(opened.error());
  if (!result->remote_ && result->options_.precision == learn::precision::bf16)
    if (auto usable = learn::make_replica(*model, result->devices_.front()); !usable)
      return tl::unexpected(usable.error());
  return result;
}

data_parallel::data_parallel(runtime& rt, job_options options, job_observer observer, std::shared_ptr<hosted_job> job,
                             std::shared_ptr<const model_state> initial, std::shared_ptr<remote_agents> remote,
                             uint64_t until)
  : leader("coordinator/0",
           [this](const start_context& c) -> started {
             return announce(*job_, {"coordinator", 0}, c.number,
                             spawn_in_place<coordinator>(c.system, c.link(), leader_config()));
           }),
    locks("lock_service/0",
          [this](const start_context& c) -> started {
            auto role = role_id{"lock_service", 0};
            auto config =
              lock_service::config{role, journal_, journal_lane_, {}, [job = job_](uint64_t n) { job->dropped += n; }};
            return announce(*job_, role, c.number, spawn_in_place<lock_service>(c.system, c.link(), std::move(config)));
          }),
    broker("data_broker/0",
           [this](const start_context& c) -> started {
             auto role = role_id{"data_broker", 0};
             return announce(*job_, role, c.number,
                             spawn_in_place<data_broker>(c.system, c.link(), {role, job_, initial_->version}));
           }),
    runtime_(rt), options_(std::move(options)), observer_(std::move(observer)), until_(until), job_(std::move(job)),
    initial_(std::move(initial)), vault_(std::make_shared<shard_vault>()), record_(std::make_shared<run_record>()),
    remote_(std::move(remote)), journal_(journal_of(options_)), files_(gpu::device::host({1000, 1})),
    journal_lane_(gpu::device::host({1001, 1})), outcome_(std::make_shared<std::optional<expected<run_outcome>>>()) {
  record_->start = initial_;
  job_->on_event = observer_.on_event;
  ledger_ = ledger_of(options_, *job_, initial_->version);
  // An agent and a shard holder, or its peer, share a device: while the agents wait for an update, their cores
  // work on it. Where agents live elsewhere, or do not wait, the holders that live here have devices of their own.
  auto beside = remote_ && job_->sharded();
  auto apart = !beside && (remote_ || job_->pace() != pace::synchronous());
  if (!remote_)
    for (int i = 0; i < options_.agents; ++i)
      devices_.push_back(gpu::device::host({i, options_.threads}));
  auto first = apart ? devices_.size() : 0;
  if (apart && !job_->has_peers())
    for (int i = 0; i < options_.shards; ++i)
      devices_.push_back(gpu::device::host({static_cast<int>(first) + i, remote_ ? options_.threads : 1}));
  for (uint32_t rank = 0; job_->has_peers() && rank < static_cast<uint32_t>(options_.agents); ++rank)
    peers.push_back(make_peer(rank));
  if (beside)
    make_placed_shards();
  if (remote_)
    observe_places();
  auto lanes = devices_.size() - first;
  for (uint32_t i = 0; !beside && !job_->has_peers() && i < static_cast<uint32_t>(options_.shards); ++i)
    shards.emplace_back(fmt::format("shard_holder/{}", i), [this, i, first, lanes](const start_context& c) -> started {
      auto role = role_id{"shard_holder", i};
      auto& where = devices_[first + i % lanes];
      auto config = shard_holder::config{role, job_, vault_, optimizer_of(options_), where};
      return announce(*job_, role, c.number, spawn_in_place<shard_holder>(c.system, c.link(), std::move(config)));
    });
  for (uint32_t rank = 0; job_->aggregates() && rank < static_cast<uint32_t>(options_.agents);
       rank += job_->description.fan_in)
    aggregators.push_back(make_aggregator(rank));
  auto apart_samples = job_->description.held.apart;
  if (apart_samples)
    samples.push_back(make_sample_source());
  for (uint32_t rank = 0; rank < static_cast<uint32_t>(options_.agents); ++rank) {
    auto joins = rank >= static_cast<uint32_t>(options_.least_agents);
    if (apart_samples)
      (joins ? joiners : samples).push_back(make_sample_keeper(rank));
    (joins ? joiners : agents).push_back(make_agent(rank));
  }
}

data_parallel::~data_parallel() {
  job_->roles->clear();
  for (auto& d : devices_)
    drain(d);
  drain(files_);
  drain(journal_lane_);
}

startable data_parallel::make_peer(uint32_t rank) {
  auto role = role_id{job_->peer_kind(), rank};
  return {to_string(role), [this, role](const start_context& c) -> started {
            if (remote_)
              return remote_->start(role, role.index, c, job_);
            auto config = model_peer_config{role, job_, vault_, optimizer_of(options_), devices_[role.index]};
            if (job_->gossip())
              return announce(*job_, role, c.number, spawn_in_place<gossip_peer>(c.system, c.link(), config));
            return announce(*job_, role, c.number,
                            spawn_in_place<ring_peer>(c.system, c.link(), ring_peer::config{config}));
          }};
}

startable data_parallel::make_agent(uint32_t rank) {
  auto role = role_id{"agent", rank};
  if (remote_)
    return {to_string(role),
            [this, role](const start_context& c) -> started { return remote_->start(role, role.index, c, job_); }};
  return {to_string(role), [this, role](const start_context& c) -> started {
            return announce(*job_, role, c.number,
                            spawn_in_place<agent>(c.system, c.link(), {role, job_, devices_[role.index]}));
          }};
}

startable data_parallel::make_sample_source() {
  auto role = role_id{source_kind, 0};
  devices_.push_back(gpu::device::host({static_cast<int>(devices_.size()), 1})); // it reads while others write files
  return {
    to_string(role), [this, role, where = devices_.back()](const start_context& c) -> started {
      return announce(*job_, role, c.number, spawn_in_place<sample_source>(c.system, c.link(), {role, job_, where}));
    }};
}

startable data_parallel::make_sample_keeper(uint32_t rank) {
  auto role = role_id{keeper_kind, rank};
  return {to_string(role),
          [this, role](const start_context& c) -> started { return remote_->start(role, role.index, c, job_); }};
}

// Where agents have processes of their own it begins in that of its group's first one, so that what the others push
// does not pass the leader. Once that is gone it goes on here, where it has a device of its own: it adds up while
// agents compute.
startable data_parallel::make_aggregator(uint32_t first) {
  auto role = role_id{"aggregator", first};
  auto beside_agent = remote_ && first < static_cast<uint32_t>(options_.least_agents);
  devices_.push_back(gpu::device::host({static_cast<int>(devices_.size()), remote_ ? options_.threads : 1}));
  return {to_string(role), [this, role, beside_agent, where = devices_.back()](const start_context& c) -> started {
            if (beside_agent && c.number == incarnation{1})
              return remote_->start(role, role.index, c, job_);
            return announce(*job_, role, c.number, spawn_in_place<aggregator>(c.system, c.link(), {role, job_, where}));
          }};
}

// Shards are not kept waiting for a place beside an agent, if another agent has one.
void data_parallel::observe_places() {
  remote_->observe({observer_.on_note,
                    [placer = placer_](uint32_t rank) {
                      if (placer)
                        placer->leaves(rank);
                    },
                    [record = record_, job = job_](const std::string& why) { ask_to_stop(*record, *job, why); }});
}

// Holders and replicas in the agents' processes, and in this one where there is no other place.
void data_parallel::make_placed_shards() {
  auto hosts = std::vector<shard_placer::host>(static_cast<size_t>(options_.least_agents));
  std::iota(hosts.begin(), hosts.end(), 0u);
  placer_ =
    std::make_shared<shard_placer>(static_cast<uint32_t>(options_.shards), hosts, place_agents(options_).value());
  devices_.push_back(gpu::device::host({0, options_.threads}));
  auto is_here = [](uint32_t at) { return at == shard_placer::home || at == shard_placer::nowhere; };
  for (uint32_t i = 0; i < static_cast<uint32_t>(options_.shards); ++i) {
    shards.emplace_back(fmt::format("shard_holder/{}", i), [this, i, is_here](const start_context& c) -> started {
      auto role = role_id{"shard_holder", i};
      auto at = placer_->start_holder(i);
      if (!is_here(at))
        return remote_->start(role, at, c, job_);
      auto config = shard_holder::config{role, job_, vault_, optimizer_of(options_), devices_.front()};
      return announce(*job_, role, c.number, spawn_in_place<shard_holder>(c.system, c.link(), std::move(config)));
    });
    replicas.emplace_back(fmt::format("shard_replica/{}", i), [this, i, is_here](const start_context& c) -> started {
      auto role = role_id{"shard_replica", i};
      auto at = placer_->start_replica(i, c.number);
      if (!is_here(at))
        return remote_->start(role, at, c, job_);
      auto waits = at == shard_placer::nowhere;
      auto config = shard_replica::config{role, job_, vault_, optimizer_of(options_), devices_.front(), waits};
      return announce(*job_, role, c.number, spawn_in_place<shard_replica>(c.system, c.link(), std::move(config)));
    });
  }
}

coordinator::config data_parallel::leader_config() {
  auto& o = options_;
  auto c = coordinator_core::config{};
  c.agents = static_cast<uint32_t>(o.least_agents);
  c.most_agents = static_cast<uint32_t>(o.agents);
  c.shards = static_cast<uint32_t>(o.shards);
  c.aggregators = static_cast<uint32_t>(aggregators.size());
  c.peer_kind = job_->peer_kind();
  c.gossip = job_->gossip();
  c.blocks = job_->model->layout().blocks().size();
  c.sizes = job_->sizes();
  c.pace = job_->pace();
  c.first = initial_->version;
  c.epochs = o.epochs;
  c.steps = o.steps;
  c.until = until_;
  c.optimizer = optimizer_of(o);
  c.combine = o.combine;
  c.schedule = o.local_steps > 1 ? learn::schedule_options{} : whole_run(o.schedule, o, c.sizes);
  c.test_samples = o.evaluate && job_->data.test ? job_->data.test->size() : 0;
  c.evaluation_grain = o.micro_batch;
  c.target_accuracy = o.target_accuracy;
  c.checkpoints = !o.checkpoint.empty();
  c.checkpoint_every = o.checkpoint_every;
  c.on_nonfinite = o.on_nonfinite;
  auto config = coordinator::config{job_, record_, vault_, c, files_, o.log_every, observer_, {}, {}, ledger_, {}, {}};
  if (c.checkpoints) {
    config.save = checkpoint_writer(o, job_);
    config.save_lock = "checkpoint:" + o.checkpoint;
  }
  config.restore = last_good_state(o, job_, initial_);
  config.placer = placer_;
  config.claim = claim_;
  config.feed = feed_;
  config.on_done = [slot = outcome_](expected<run_outcome> outcome) { *slot = std::move(outcome); };
  return config;
}

supervision_tree data_parallel::tree(std::optional<restart_limit> limit) const {
  const auto few = limit.value_or(at_most(3, 1min));
  const auto many = limit.value_or(at_most_of_each(16, 1min));
  auto tree = supervise("training", one_for_one, few);
  tree.child(locks).child(broker).child(job_->has_peers() ? supervise_agents("peers", many).child(peers, transient)
                                        : job_->sharded()
                                          ? supervise_agents("shards", many).child(shards).child(replicas)
                                          : supervise("shards", one_for_all, few).child(shards));
  if (!aggregators.empty())
    tree.child(supervise_agents("aggregators", many).child(aggregators));
  if (!samples.empty())
    tree.child(supervise_agents("samples", many).child(samples, transient));
  tree.child(supervise_agents("agents", many).child(agents, transient)).child(leader, transient, significant);
  if (!joiners.empty())
    tree.child(supervise_agents("joiners", many).child(joiners, transient), temporary);
  return tree;
}

} // namespace troupe
