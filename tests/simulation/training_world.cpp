#include "tests/simulation/training_world.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <fmt/format.h>
#include <numeric>

#include "actors/agent.hpp"
#include "actors/aggregator.hpp"
#include "actors/data_broker.hpp"
#include "actors/gossip_peer.hpp"
#include "actors/lock_service.hpp"
#include "actors/ring_peer.hpp"
#include "actors/sample_keeper.hpp"
#include "actors/sample_source.hpp"
#include "actors/shard_holder.hpp"
#include "actors/shard_replica.hpp"
#include "messages/caf.hpp"
#include "tests/simulation/tiny_model.hpp"
#include "tests/simulation/undisturbed_run.hpp"

namespace troupe::testing {

using namespace std::chrono_literals;

namespace {

constexpr size_t test_samples = 9;

job_description description_of(const training_shape& shape) {
  job_description d;
  d.job_id = "simulated";
  d.model = "tiny";
  d.width = 4;
  d.classes = 2;
  d.seed = 1;
  d.samples = shape.sizes.samples;
  d.batch = shape.sizes.batch;
  d.exchange = static_cast<uint8_t>(shape.exchange);
  d.data_shards = shape.agents;
  d.micro_batch = shape.sizes.micro_batch;
  d.shards = shape.shards;
  d.ahead = shape.pace.ahead;
  d.in_order = shape.pace.in_order;
  d.ring = shape.ring;
  d.reproducible = shape.reproducible;
  d.gossip = shape.gossip;
  d.meet_every = shape.checkpoint_every;
  d.last_step = shape.epochs * learn::steps_per_epoch(shape.sizes);
  d.sharded = shape.sharded;
  d.fan_in = shape.fan_in;
  d.local.steps = shape.local_steps;
  d.local.learning_rate = shape.gossip ? learn::optimizer_options{}.learning_rate : 0.1f;
  d.local.optimizer.momentum = 0.9f;
  d.local.optimizer.kind = static_cast<uint8_t>(learn::optimizer_kind::momentum);
  d.local.optimizer.statistic_momentum = 0.1f;
  d.combine = static_cast<uint8_t>(shape.combine.kind);
  d.combine_bad = shape.combine.bad;
  d.combine_bucket = shape.combine.bucket;
  d.compression = static_cast<uint8_t>(shape.compression);
  d.compression_keep = 0.25f;
  d.held.apart = shape.samples_apart;
  d.held.name = "tiny";
  d.held.test_samples = test_samples;
  d.held.last_epoch = shape.epochs - 1;
  return d;
}

} // namespace

std::vector<fault> draw_faults(dice& with, const training_shape& shape) {
  using enum fault_kind;
  std::vector<fault> result;
  // A robust rule stands what is not finite: it takes effect, and the result is another one.
  const auto finite = shape.ring || shape.gossip || (shape.compare && shape.combine.is_robust());
  for (auto left = with.below(2) == 0 ? 0 : 1 + with.below(4); left > 0; --left) {
    const auto kind = std::array{exception, error, kill_actor, drop, delay, duplicate, nan}[with.below(finite ? 6 : 7)];
    if (shape.fan_in != 0 && kind != nan && with.below(3) == 0) {
      const role_id agent{"agent", static_cast<uint32_t>(with.below(shape.agents))};
      result.push_back({to_string(aggregator_of(agent, shape.fan_in)), with.below(9), kind, with.between(1ms, 2s)});
      continue;
    }
    if (shape.samples_apart && kind != nan && with.below(2) == 0) {
      const auto keeper = fmt::format("{}/{}", keeper_kind, with.below(shape.agents));
      result.push_back(
        {with.below(4) == 0 ? fmt::format("{}/0", source_kind) : keeper, with.below(9), kind, with.between(1ms, 2s)});
      continue;
    }
    const auto role =
      kind != nan && shape.broker == mortality::mortal && with.below(3) == 0 ? std::string{"data_broker/0"}
      : shape.gossip && with.below(3) == 0                 ? fmt::format("gossip_peer/{}", with.below(shape.agents))
      : kind != nan && shape.sharded && with.below(3) == 0 ? fmt::format("shard_holder/{}", with.below(shape.shards))
                                                           : fmt::format("agent/{}", with.below(shape.agents));
    result.push_back({role, with.below(9), kind, with.between(1ms, 2s)});
  }
  for (uint32_t i = 1; i < shape.agents; ++i) // one stays to finish the run
    if (with.below(4) == 0)
      result.push_back({fmt::format("agent/{}", i), with.below(9), leave, {}});
  return result;
}

training_world::hosts training_world::add_hosts(simulation& world, const training_shape& shape) {
  hosts result{.leader = world.add_host("leader"), .broker = {}, .shards = {}, .agents = {}};
  if (shape.broker_apart)
    result.broker = world.add_host("broker's host", [] {});
  for (uint32_t i = 0; i < shape.shard_hosts; ++i)
    result.shards.push_back(world.add_host(fmt::format("shard host {}", i), [] {}));
  for (uint32_t i = 0; i < shape.shards && shape.shard_hosts == 0 && !shape.sharded; ++i)
    result.shards.push_back(shape.shards_apart ? world.add_host(fmt::format("host of shard {}", i)) : result.leader);
  for (uint32_t i = 0; i < shape.agents; ++i)
    result.agents.push_back(shape.agents_apart ? world.add_host(fmt::format("host of agent {}", i), [] {})
                                               : result.leader);
  for (uint32_t i = 0; i < (shape.replicated ? shape.agents : shape.shards) && shape.sharded; ++i)
    result.shards.push_back(result.agents[i]);
  return result;
}

std::shared_ptr<const model_state> training_world::first_state() {
  const tiny_model model;
  learn::flat drawn{model.layout().size()};
  model.initialise(1, drawn.values());
  return std::make_shared<const model_state>(model_state{{0}, std::move(drawn), {}});
}

ledger_head training_world::ledger_from(step first) {
  const auto d = description_of({});
  return {static_cast<learn::order_kind>(d.order), d.seed, training_shape{}.sizes, {}, first};
}

training_world::training_world(simulation& world, training_shape shape, hosts where,
                               std::shared_ptr<const model_state> initial, saver save,
                               std::shared_ptr<lock_journal> journal, std::shared_ptr<troupe::ledger> ledger)
  : world_(world), shape_(shape), where_(std::move(where)),
    model_(std::make_shared<tiny_model>()), data_{"tiny", std::make_shared<tiny_data>(shape_.sizes.samples),
                                                  std::make_shared<tiny_data>(test_samples)},
    initial_(initial ? std::move(initial) : first_state()), save_(std::move(save)), journal_(std::move(journal)),
    ledger_(std::move(ledger)), record_(std::make_shared<run_record>()),
    rules_(world, {shape_.sizes, [this](host at) { return job_on(at)->dropped.load(); },
                   shape_.holders == mortality::immortal}) {
  record_->start = initial_;
  if (shape_.shard_hosts > 0 || shape_.replicated) {
    auto first = std::vector<uint32_t>(shape_.replicated ? shape_.agents : std::max(1u, shape_.shard_hosts / 2));
    std::iota(first.begin(), first.end(), 0u);
    placer_ = std::make_shared<shard_placer>(shape_.shards, first);
  }
  if (shape_.shard_hosts > 0)
    shuffle_hosts();
  world_.on_handling([this](const handling& h) { handles(h); });
  world_.on_reconnect([this](host a, host b) {
    reconnect(a, b);
    reconnect(b, a);
  });
  world_.on(where_.leader, [&] {
    auto running = run_tree(world_.system(), tree(),
                            {.on_ready = [this] { ready_ = true; },
                             .on_report =
                               [this](const supervision_report& r) {
                                 world_.note(to_string(r));
                                 lost_peer_ = lost_peer_ || r.child.find("_peer/") != std::string::npos;
                                 lost_shards_ += r.child.starts_with("shard_holder") ? 1 : 0;
                               },
                             .on_end = [this](const tree_end& e) { end_ = e; }});
    if (running)
      tree_ = std::move(*running);
    else
      world_.violated("S8: a good tree is refused: " + running.error().sentence);
  });
}

training_world::~training_world() {
  for (auto& [where, each] : jobs_)
    each.job->roles->clear(); // an entry keeps its actor alive, and the actor its job
}

// -- who is where ---------------------------------------------------------------------------------

/// What the roles of one host share, as the processes of a job do. A host that boots again starts with a new one.
const std::shared_ptr<hosted_job>& training_world::job_on(host where) {
  auto& known = jobs_[where];
  if (!known.job || known.life != world_.life(where)) {
    if (known.job)
      known.job->roles->clear();
    known = {world_.life(where),
             std::make_shared<hosted_job>(description_of(shape_), model_,
                                          shape_.samples_apart && where != where_.leader
                                            ? learn::data_source{data_.name, nullptr, nullptr}
                                            : data_,
                                          std::make_shared<directory>()),
             std::make_shared<shard_vault>(),
             {}};
    for (const auto& [id, each] : roles_)
      tell(id, where);
  }
  return known.job;
}

const std::shared_ptr<shard_vault>& training_world::vault_on(host where) {
  job_on(where);
  return jobs_.at(where).vault;
}

/// A role's device: all its incarnations in one life of its host have the same, and one behind the other. Agents with
/// the coordinator share one.
gpu::device training_world::device_of(const role_id& role, host where) {
  job_on(where);
  auto& known = jobs_.at(where).devices;
  const auto whose = role.kind == "agent" && !shape_.agents_apart ? role_id{"agent", 0} : role;
  const auto it = known.find(whose);
  return it != known.end() ? it->second
                           : known.emplace(whose, world_.add_device(where, shape_.work_time)).first->second;
}

/// Binds a role in the directory of a host, after the time that a message takes.
void training_world::tell(const role_id& id, host to) {
  const auto& known = roles_.at(id);
  world_.travel(known.where, to, [this, id, to, known] {
    if (const auto actor = caf::actor_cast<caf::strong_actor_ptr>(known.actor);
        actor && roles_.at(id).number == known.number)
      job_on(to)->roles->bind({id, known.number, world_.reach(to, actor)});
  });
}

void training_world::reconnect(host from, host to) {
  for (const auto& [id, known] : roles_)
    if (known.where == from && jobs_.contains(to))
      tell(id, to);
}

template <class Spawn>
startable training_world::role(const role_id& id, host where, mortality may_end, Spawn spawn) {
  return world_.start_on(where,
                         {to_string(id),
                          [this, id, where, spawn](const start_context& c) -> started {
                            const auto job = job_on(where);
                            const auto handle = spawn(c);
                            const auto actor = caf::actor_cast<caf::strong_actor_ptr>(handle);
                            job->roles->bind({id, c.number, actor});
                            roles_[id] = {c.number, caf::actor_cast<caf::weak_actor_ptr>(actor), where};
                            for (const auto& [other, each] : jobs_)
                              if (other != where)
                                tell(id, other);
                            return handle;
                          }},
                         may_end);
}

// -- the hash ring --------------------------------------------------------------------------------

host training_world::ring_host(uint32_t index) const {
  return index < where_.shards.size() ? where_.shards[index] : where_.leader;
}

/// A role whose place is found when it starts.
startable training_world::placed(const role_id& id, mortality may_end,
                                 const std::function<uint32_t(const start_context&)>& place,
                                 const std::function<caf::actor(const start_context&, uint32_t)>& spawn) {
  std::map<uint32_t, startable> starts;
  auto places = std::vector<uint32_t>{shard_placer::home, shard_placer::nowhere};
  for (uint32_t i = 0; i < where_.shards.size(); ++i)
    places.push_back(i);
  for (const auto at : places)
    starts.emplace(at, role(id, ring_host(at), may_end, [spawn, at](const start_context& c) { return spawn(c, at); }));
  return {to_string(id), [place, starts](const start_context& c) -> started { return starts.at(place(c)).start(c); }};
}

/// Hosts come and go, as drawn.
void training_world::shuffle_hosts() {
  world_.after(world_.chance().between(100ms, 4s), [this] {
    if (retired_ || end_)
      return;
    const auto h = static_cast<uint32_t>(world_.chance().below(shape_.shard_hosts));
    if (world_.chance().below(2) == 0)
      placer_->joined(h);
    else
      placer_->leaves(h);
    shuffle_hosts();
  });
}

// -- the tree -------------------------------------------------------------------------------------

coordinator::config training_world::leader_config() {
  coordinator_core::config c;
  c.agents = shape_.agents;
  c.shards = shape_.shards;
  c.aggregators = shape_.fan_in == 0 ? 0 : aggregators_of(shape_.agents, shape_.fan_in);
  c.peer_kind = job_on(where_.leader)->peer_kind();
  c.gossip = job_on(where_.leader)->gossip();
  c.blocks = tiny_model::blocks;
  c.sizes = shape_.sizes;
  c.pace = shape_.pace;
  c.first = initial_->version;
  c.epochs = shape_.epochs;
  c.combine = shape_.combine;
  c.schedule.kind = learn::schedule_kind::constant;
  c.test_samples = test_samples;
  c.evaluation_grain = shape_.sizes.micro_batch;
  c.checkpoints = static_cast<bool>(save_);
  c.checkpoint_every = shape_.checkpoint_every;
  return {.job = job_on(where_.leader),
          .record = record_,
          .vault = vault_on(where_.leader),
          .core = c,
          .files = device_of({"coordinator", 0}, where_.leader),
          .log_every = 1,
          .observer = {.on_note = [this](const std::string& sentence) { world_.note(sentence); }},
          .save = save_,
          .save_lock = "checkpoint",
          .ledger = ledger_,
          .restore = [this]() -> expected<std::shared_ptr<const model_state>> { return initial_; },
          .on_done = [this](expected<run_outcome> done) { outcome_ = std::move(done); },
          .placer = placer_};
}

supervision_tree training_world::tree() {
  job_on(where_.leader);
  const auto leader = role({"coordinator", 0}, where_.leader, mortality::immortal, [this](const start_context& c) {
    return spawn_in_place<coordinator>(c.system, c.link(), leader_config());
  });
  const auto locks = role({"lock_service", 0}, where_.leader, mortality::mortal, [this](const start_context& c) {
    job_on(where_.leader);
    auto& lane = jobs_.at(where_.leader).journal_lane; // one for all lives
    if (!lane)
      lane = world_.add_device(where_.leader, shape_.work_time);
    return spawn_in_place<lock_service>(c.system, c.link(), {{"lock_service", 0}, journal_, *lane, {}, {}});
  });
  const auto broker_host = where_.broker.value_or(where_.leader);
  const auto broker = role({"data_broker", 0}, broker_host, shape_.broker, [this, broker_host](const start_context& c) {
    return spawn_in_place<data_broker>(c.system, c.link(),
                                       {{"data_broker", 0}, job_on(broker_host), initial_->version});
  });
  std::vector<startable> shards;
  std::vector<startable> replicas;
  for (uint32_t i = 0; i < shape_.shards && placer_; ++i) {
    shards.push_back(placed(
      {"shard_holder", i}, shape_.holders, [this, i](auto&) { return placer_->start_holder(i); },
      [this, i](const start_context& c, uint32_t at) {
        const auto here = ring_host(at);
        return caf::actor_cast<caf::actor>(spawn_in_place<shard_holder>(
          c.system, c.link(), {{"shard_holder", i}, job_on(here), vault_on(here), {}, device_of({"shard", i}, here)}));
      }));
    replicas.push_back(placed(
      {"shard_replica", i}, mortality::mortal,
      [this, i](const start_context& c) { return placer_->start_replica(i, c.number); },
      [this, i](const start_context& c, uint32_t at) {
        const auto here = ring_host(at);
        return caf::actor_cast<caf::actor>(spawn_in_place<shard_replica>(c.system, c.link(),
                                                                         {{"shard_replica", i},
                                                                          job_on(here),
                                                                          vault_on(here),
                                                                          {},
                                                                          device_of({"shard", i}, here),
                                                                          at == shard_placer::nowhere}));
      }));
  }
  for (uint32_t i = 0; i < shape_.shards && !placer_; ++i)
    shards.push_back(role({"shard_holder", i}, where_.shards[i], shape_.holders, [this, i](const start_context& c) {
      const auto here = where_.shards[i];
      const role_id works_on{shape_.sharded ? "agent" : "shard_holder", i};
      return spawn_in_place<shard_holder>(
        c.system, c.link(), {{"shard_holder", i}, job_on(here), vault_on(here), {}, device_of(works_on, here)});
    }));
  std::vector<startable> agents;
  for (uint32_t i = 0; i < shape_.agents; ++i)
    agents.push_back(role({"agent", i}, where_.agents[i], mortality::mortal, [this, i](const start_context& c) {
      const auto here = where_.agents[i];
      return spawn_in_place<agent>(c.system, c.link(), {{"agent", i}, job_on(here), device_of({"agent", i}, here)});
    }));
  std::vector<startable> samples;
  if (shape_.samples_apart)
    samples.push_back(role({source_kind, 0}, where_.leader, mortality::mortal, [this](const start_context& c) {
      const auto here = where_.leader;
      return spawn_in_place<sample_source>(c.system, c.link(),
                                           {{source_kind, 0}, job_on(here), device_of({source_kind, 0}, here)});
    }));
  for (uint32_t i = 0; shape_.samples_apart && i < shape_.agents; ++i)
    samples.push_back(role({keeper_kind, i}, where_.agents[i], mortality::mortal, [this, i](const start_context& c) {
      return spawn_in_place<sample_keeper>(c.system, c.link(), {{keeper_kind, i}, job_on(where_.agents[i]), 4});
    }));
  std::vector<startable> aggregators;
  for (uint32_t i = 0; shape_.fan_in != 0 && i < shape_.agents; i += shape_.fan_in)
    aggregators.push_back(
      role({"aggregator", i}, where_.agents[i], mortality::mortal, [this, i](const start_context& c) {
        const auto here = where_.agents[i];
        return spawn_in_place<aggregator>(c.system, c.link(),
                                          {{"aggregator", i}, job_on(here), device_of({"aggregator", i}, here)});
      }));
  std::vector<startable> peers;
  for (uint32_t i = 0; i < shape_.agents && job_on(where_.leader)->has_peers(); ++i)
    peers.push_back(role(
      {job_on(where_.leader)->peer_kind(), i}, where_.agents[i], mortality::mortal, [this, i](const start_context& c) {
        const auto here = where_.agents[i];
        const auto& job = job_on(here);
        const role_id id{job->peer_kind(), i};
        const model_peer_config config{id, job, vault_on(here), {}, device_of(id, here)};
        return shape_.gossip
                 ? caf::actor_cast<caf::actor>(spawn_in_place<gossip_peer>(c.system, c.link(), config))
                 : caf::actor_cast<caf::actor>(spawn_in_place<ring_peer>(c.system, c.link(), {config, shape_.reduce}));
      }));
  const auto often = at_most(1000, 1min); // the storm is not what the limits are for
  auto tree = supervise("training", one_for_one, often);
  tree.child(locks).child(broker).child(
    job_on(where_.leader)->has_peers() ? supervise("peers", one_for_one, often).child(peers)
    : placer_                          ? supervise("shards", one_for_one, often).child(shards).child(replicas)
              : supervise("shards", shape_.sharded ? one_for_one : one_for_all, often).child(shards));
  if (!aggregators.empty())
    tree.child(supervise("aggregators", one_for_one, often).child(aggregators));
  if (!samples.empty())
    tree.child(supervise("samples", one_for_one, often).child(samples));
  tree.child(supervise("agents", one_for_one, often).child(agents, transient)).child(leader, transient, significant);
  return tree;
}

// -- what must hold -------------------------------------------------------------------------------

void training_world::handles(const handling& h) {
  if (retired_)
    return;
  rules_.handles(h);
  if (h.who.starts_with("agent") && h.what.match_elements<parameters>())
    check(h.what.get_as<parameters>(0));
  else if ((h.who.starts_with("shard_holder") || h.who.starts_with("ring_peer") || h.who.starts_with("gossip_peer")) &&
           h.what.match_elements<commit_step>())
    check(h.what.get_as<commit_step>(0));
  else if (h.who.starts_with("shard_holder") && h.what.match_elements<push_gradients>()) {
    const auto& p = h.what.get_as<push_gradients>(0);
    if (!shape_.pace.fresh(p.at, p.base))
      world_.violated(fmt::format("a gradient for step {} was computed with version {}", p.at.value, p.base.value));
  }
}

// Every shard applies the same steps in the same order, each once.
void training_world::check(const commit_step& c) {
  const auto& rewound = record_->log->rewound;
  if (c.view < rewound)
    return;
  if (since_ != rewound) {
    since_ = rewound;
    said_.clear();
    order_.clear();
  }
  const auto [known, first] = order_.emplace(c.version, c.at);
  if (known->second != c.at)
    world_.violated(fmt::format("I3: version {} is made by step {} and by step {}", c.version.value + 1,
                                known->second.value, c.at.value));
  for (const auto& [version, at] : order_)
    if (at == c.at && version != c.version)
      world_.violated(fmt::format("I1: step {} takes effect twice", at.value));
}

void training_world::check_near(const parameters& p) {
  if (const auto wrong = undisturbed_run::known(shape_).is_far(p.applied.version(), layout(), p.values.as_floats()))
    world_.violated(*wrong);
}

// Whoever says it, and however often. Replicas that gossip are alike where all have met.
void training_world::check_alike(const parameters& p) {
  if (p.from.view.value == 0 || p.from.is_void(record_->log->rewound) || since_ != record_->log->rewound)
    return;
  if (const auto rounds = job_on(where_.leader)->gossip(); rounds && !rounds->all_alike_at(p.applied.version()))
    return;
  const auto& places = job_on(where_.leader)->shards;
  for (const auto b : places.blocks(job_on(where_.leader)->has_peers() ? 0 : p.from.role.index)) {
    const auto values = p.values.as_floats().subspan(places.offset(b), layout().blocks()[b].size);
    auto& known = said_[{p.applied.version(), b}];
    if (known.empty())
      known.assign(values.begin(), values.end());
    else if (std::memcmp(known.data(), values.data(), values.size_bytes()) != 0)
      world_.violated(
        fmt::format("I3: two different sets of parameters are version {} of block {}", p.applied.version().value, b));
  }
}

void training_world::check(const parameters& p) {
  if (on_parameters)
    on_parameters(p);
  if (shape_.ring)
    check_near(p);
  if (!has_its_bits(shape_))
    return check_alike(p);
  const auto& places = job_on(where_.leader)->shards;
  for (const auto b : places.blocks(shape_.ring ? 0 : p.from.role.index))
    if (const auto wrong = undisturbed_run::known(shape_).differs(
          p.applied.version(), b, p.values.as_floats().subspan(places.offset(b), layout().blocks()[b].size)))
      world_.violated(*wrong);
}

// Replicas that differ have other gradients. One or two are never apart from one step to the next.
double training_world::gossip_limit() const {
  return shape_.agents <= 2 ? 1e-5 : 0.05;
}

void training_world::check_end() {
  if (world_.violation())
    return;
  if (!outcome_)
    return world_.violated("I8: the run ended before it was done: " + to_string(end_->cause));
  if (!*outcome_) {
    const auto went_back = shape_.sharded && lost_shards_ > coordinator_core::max_rewinds &&
                           outcome_->error().sentence.find("after going back") != std::string::npos;
    if (!lost_peer_ && !went_back) // the last one that knew the parameters may be among those that died
      world_.violated("I8: the run gave up: " + outcome_->error().sentence);
    return;
  }
  const auto& known = undisturbed_run::known(shape_);
  const auto& done = **outcome_;
  const auto steps = shape_.epochs * learn::steps_per_epoch(shape_.sizes);
  if (done.final.version.value != steps)
    return world_.violated(fmt::format("I1: the run ended after {} of {} steps", done.final.version.value, steps));
  for (size_t b = 0; has_its_bits(shape_) && b < tiny_model::blocks; ++b) {
    const auto& where = layout().blocks()[b];
    if (const auto wrong =
          known.differs(done.final.version, b, done.final.parameters.values().subspan(where.offset, where.size)))
      return world_.violated(*wrong);
  }
  if (const auto wrong = known.is_far(done.final.version, layout(), done.final.parameters.values(), gossip_limit());
      shape_.gossip && !lost_peer_ && wrong)
    return world_.violated(*wrong);
  if (shape_.ring)
    if (const auto wrong = known.is_far(done.final.version, layout(), done.final.parameters.values()))
      return world_.violated(*wrong);
  uint64_t samples = 0;
  for (auto s = initial_->version.value; s < steps; ++s)
    samples += learn::samples_of_step(shape_.sizes, s);
  if (done.samples != samples)
    world_.violated(fmt::format("I1: {} samples took effect instead of {}", done.samples, samples));
  for (const auto& [updates, micro_batches] : done.staleness)
    if (shape_.pace.in_order && updates > shape_.pace.ahead)
      world_.violated(fmt::format("{} micro-batches were {} updates old", micro_batches, updates));
  const auto& accuracy = known.test_accuracy();
  if (shape_.compare && !std::equal(done.test_accuracy.rbegin(), done.test_accuracy.rend(), accuracy.rbegin()))
    world_.violated("I10: an evaluation differs from the one of the undisturbed run");
}

void train_in_a_storm(simulation& world, const training_shape& shape) {
  static_cast<void>(undisturbed_run::known(shape)); // while nothing is armed
  const armed_faults planned{draw_faults(world.chance(), shape)};
  auto& run = world.make<training_world>(world, shape, training_world::add_hosts(world, shape));
  world.run_until([&] { return run.is_ready() || run.has_ended(); }, 1min);
  world.storm(15s);
  world.calm();
  world.expect(
    "I8: the run comes to its end", [&] { return run.has_ended(); }, 5min);
  run.check_end();
}

} // namespace troupe::testing
