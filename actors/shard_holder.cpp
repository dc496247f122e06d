#include "actors/shard_holder.hpp"

#include "actors/fault_places.hpp"
#include "actors/stream_failure.hpp"
#include "gpu/kernels/reduce.hpp"
#include "messages/canary.hpp"

namespace troupe {
namespace {

std::vector<block_id> blocks_of(const hosted_job& job, uint32_t shard) {
  auto result = std::vector<block_id>{};
  for (auto b : job.shards.blocks(shard))
    result.push_back({b});
  return result;
}

} // namespace

shard_holder::shard_holder(interface::pointer self, life now, const config& c)
  : self_(self), now_(std::move(now)), config_(c), shard_(config_.role.index),
    core_({config_.role, now_.number()}, blocks_of(*config_.job, shard_), config_.job->pace(),
          config_.job->combine().bucket_size()),
    stream_(config_.where, fail_with_stream(now_, config_.role)),
    memory_(config_.job, config_.vault, shard_, config_.optimizer), feed_(shard_) {
  // nop
}

const learn::block& shard_holder::block(block_id id) const {
  return config_.job->model->layout().blocks()[id.value];
}

shard_holder_actor::behavior_type shard_holder::make_behavior() {
  // Behind an update that a life before may have left on the lane.
  memory_.when_settled([this, now = now_] { now.post([this] { restore(); }); });
  for (const auto* kind : {"coordinator", "agent", "shard_replica"})
    config_.job->roles->subscribe(caf::actor_cast<caf::strong_actor_ptr>(self_), kind);
  return {
    [this](const role_bound& r) {
      if (r.role.kind == "coordinator")
        announce();
      else
        bound({r.role, r.incarnation});
    },
    [this](const view_changed& v) {
      auto before = core_.rewound();
      auto fresh = core_.on_view(v);
      if (core_.rewound() != before) {
        forget_all_sums();
        feed_.clear();
      }
      auto shown = shown_version();
      feed_.on_view(v);
      leaving_ = leaving_ && feed_.replica();
      publish_news(shown);
      report_withheld();
      for (auto& agent : fresh)
        publish(agent);
    },
    [this](const load_shard& l) { load(l); },
    [this](const push_gradients& p) {
      if (!struck(self_, now_, TROUPE_FAULT(places::holder_on_push, config_.role, now_.number(), p.at.value),
                  [this, p] { take(p); }))
        take(p);
    },
    [this](const pull_parameters& p) {
      if (feed_.shown() && (p.any || p.have < feed_.shown()->applied.version()))
        publish({p.from.role, p.from.incarnation});
      if (!core_.loaded())
        announce(); // the word that it was replaced may be what was lost
      feed_again();
      report_replica(false);
      report_sums(); // a report or its commit may be
      for (auto& [at, block] : core_.rejected())
        ask_again(at, block, p.from.role);
    },
    [this](const commit_step& c) {
      if (struck(self_, now_, TROUPE_FAULT(places::holder_before_apply, config_.role, now_.number(), c.at.value),
                 [] {}))
        return;
      auto before = core_.dropped();
      if (leaving_)
        ++config_.job->dropped; // the next incarnation is told again
      else if (auto ready = core_.on_commit(c))
        apply(*ready);
      config_.job->dropped += core_.dropped() - before;
    },
    [this](const take_snapshot& t) {
      auto promise = self_->make_response_promise<shard_snapshot>();
      snapshots_.add(t, promise);
      deliver_snapshots();
      return promise;
    },
    [this](const follow_shard& f) { follow(f); },
    [this](const update_replicated& r) {
      if (r.since != core_.rewound())
        return;
      auto shown = shown_version();
      auto before = feed_.replicated();
      feed_.on_replicated(r);
      publish_news(shown);
      report_replica(before);
      hand_over();
    },
    [this](const sums_replicated& r) {
      if (r.since != core_.rewound())
        return;
      feed_.on_sums_replicated(r);
      report_withheld();
    },
    [this](const hand_over_shard& h) {
      if (!config_.vault->admits(shard_, h.token))
        return void(++config_.job->dropped);
      leaving_ = feed_.replica().has_value();
      hand_over();
    },
  };
}

void shard_holder::restore() {
  restored_ = true;
  if (auto kept = memory_.restore(); kept && core_.on_loaded(kept->applied, kept->since)) {
    feed_.on_loaded({core_.applied(), memory_.values()});
    for (auto& [at, sums] : memory_.kept_sums(kept->since))
      restore_sums(at, sums);
  }
  announce();
}

// What the holder before had sent its replica, and had said that it has.
void shard_holder::restore_sums(step at, const shard_vault::sums& kept) {
  auto tree = sum_tree{learn::micro_batches_of_step(config_.job->sizes(), at.value)};
  for (size_t i = 0; i < kept.blocks.size(); ++i)
    if (core_.on_sum(at, kept.blocks[i], tree.leaves())) {
      sums_[{at, kept.blocks[i], tree.root()}] = kept.values[i];
      measure(at, kept.blocks[i]);
      restored_sums_.insert(at);
    }
}

void shard_holder::announce() {
  if (!restored_)
    return;
  report_sums();
  if (auto coordinator = config_.job->roles->find_as<coordinator_actor>({"coordinator", 0}))
    troupe::anon_send(coordinator, join{core_.self(),
                                        core_.version(),
                                        core_.loaded(),
                                        core_.rewound(),
                                        {restored_sums_.begin(), restored_sums_.end()}});
}

void shard_holder::load(const load_shard& l) {
  if (!core_.on_loaded({l.version, {}}, l.since)) {
    ++config_.job->dropped;
    return;
  }
  if (!memory_.load(core_.applied(), core_.rewound(), l.values, l.state))
    return self_->quit(); // there is a newer one
  forget_all_sums();
  feed_.on_loaded({core_.applied(), memory_.values()});
  for (auto& agent : core_.agents())
    publish(agent);
}

void shard_holder::take(const push_gradients& p) {
  config_.job->received_bytes += p.gradient.bytes();
  auto fits = p.block.value < config_.job->model->layout().blocks().size() && fits_block(p) &&
              p.micro_batches == learn::micro_batches_of_step(config_.job->sizes(), p.at.value);
  if (fits && core_.doubts(p) && p.gradient.type() == dtype::f32 &&
      !gpu::kernels::norm_and_finite(p.gradient.elements(), p.gradient.as_floats().data()).finite) {
    ++config_.job->dropped;
    return ask_again(p.at, p.block, p.from.role);
  }
  auto before = core_.dropped();
  auto intake = fits ? core_.on_push(p) : shard_core::intake{};
  config_.job->dropped += fits ? core_.dropped() - before : 1;
  if (planted(canary::gradient_applied_twice) && intake.verdict == partial_sums::verdict::duplicate &&
      p.at == core_.version())
    for (auto& [k, sum] : sums_)
      if (std::get<block_id>(k) == p.block) {
        auto twice = payload::floats(sum.elements());
        stream_.enqueue([sum = sum, twice, again = p.gradient]() mutable {
          gpu::kernels::sum(sum.elements(), sum.as_floats().data(), again.as_floats().data(),
                            twice.mutable_floats().data());
        });
        sum = twice;
        break;
      }
  if (intake.verdict != partial_sums::verdict::accepted)
    return;
  for (auto& gone : intake.replaced)
    sums_.erase({p.at, p.block, gone});
  sums_[{p.at, p.block, p.node}] = as_floats(p);
  for (auto& m : intake.merges) {
    // Out of place: what an agent pushed stays as it is, in case it has to be pushed again.
    auto left = std::move(sums_[{p.at, p.block, m.left}]);
    auto right = std::move(sums_[{p.at, p.block, m.right}]);
    auto sum = payload::floats(left.elements());
    stream_.enqueue([left, right, sum]() mutable {
      gpu::kernels::sum(sum.elements(), left.as_floats().data(), right.as_floats().data(), sum.mutable_floats().data());
    });
    sums_.erase({p.at, p.block, m.left});
    sums_.erase({p.at, p.block, m.right});
    sums_[{p.at, p.block, m.into}] = std::move(sum);
  }
  if (intake.block_complete && config_.job->combine().is_robust())
    combine(p.at, p.block);
  else if (intake.block_complete)
    measure(p.at, p.block);
}

bool shard_holder::fits_block(const push_gradients& p) const {
  auto n = block(p.block).size;
  return p.gradient.type() == dtype::f32 ? p.gradient.elements() == n
                                         : learn::is_compressed(config_.job->compression(), n, p.gradient);
}

payload shard_holder::as_floats(const push_gradients& p) {
  if (p.gradient.type() == dtype::f32)
    return p.gradient;
  auto values = payload::floats(block(p.block).size);
  stream_.enqueue(
    [how = config_.job->compression(), from = p.gradient, values]() mutable { learn::decompress(how, from, values); });
  return values;
}

void shard_holder::measure(step at, block_id id) {
  auto& root = sums_.lower_bound({at, id, {}})->second;
  stream_.enqueue([this, now = now_, id, at, begun = core_.rewound(), sum = root] {
    auto n = gpu::kernels::norm_and_finite(sum.elements(), sum.as_floats().data());
    now.post([this, at, begun, norm = block_norm{id, n.sum_of_squares, n.finite}] { measured(at, begun, norm); });
  });
}

void shard_holder::measured(step at, view begun, const block_norm& norm) {
  if (core_.rewound() != begun)
    return;
  if (core_.rejects(at, norm)) {
    ++config_.job->dropped;
    forget_sums_of(at, norm.block);
    for (auto& who : core_.contributors())
      ask_again(at, norm.block, who.role);
  } else if (core_.on_norm(at, norm)) {
    summed(at);
  }
}

// A robust rule's choice is made when the step is committed; its contributions are not replicated before.
void shard_holder::summed(step at) {
  if (!config_.job->combine().is_robust() && feed_.on_summed(at))
    replicate_sums_of(at);
  report_sums(at);
}

void shard_holder::forget_all_sums() {
  sums_.clear();
  withheld_.clear();
  restored_sums_.clear();
}

void shard_holder::forget_sums_of(step at, block_id id) {
  sums_.erase(sums_.lower_bound({at, id, {}}), sums_.lower_bound({at, block_id{id.value + 1}, {}}));
}

void shard_holder::ask_again(step at, block_id id, const role_id& who) {
  if (auto handle = config_.job->roles->find_as<agent_actor>(who))
    troupe::anon_send(handle, reject_gradients{core_.from(), at, id});
}

// Not before a replica has them: then nothing of the step is lost with this holder once it is committed.
void shard_holder::report_sums(step at) {
  if (feed_.waits(at)) {
    withheld_.insert(at);
    return;
  }
  withheld_.erase(at);
  if (auto coordinator = config_.job->roles->find_as<coordinator_actor>({"coordinator", 0}))
    troupe::anon_send(coordinator, shard_summed{core_.from(), at, core_.version(), core_.norms(at)});
}

void shard_holder::report_sums() {
  for (auto at : core_.summed())
    report_sums(at);
}

void shard_holder::report_withheld() {
  for (auto at : std::set{withheld_}) {
    if (!core_.summed(at))
      withheld_.erase(at);
    else
      report_sums(at);
  }
}

void shard_holder::apply(const commit_step& c) {
  if (config_.job->combine().kind == learn::combine_kind::krum && !c.skip)
    choose(c.at, c.chosen);
  auto u = replicate_update{core_.from(), core_.rewound(), c, {}, {}};
  for (auto i = sums_.lower_bound({c.at, {}, {}}); i != sums_.end() && std::get<step>(i->first) == c.at;
       i = sums_.erase(i)) {
    if (c.skip)
      continue;
    u.blocks.push_back(std::get<block_id>(i->first));
    u.sums.push_back(std::move(i->second));
  }
  auto sums_are_there = feed_.has_sums(c.at);
  if (feed_.on_update(u)) {
    if (sums_are_there)
      to_replica(replicate_update{u.from, u.since, c, {}, {}});
    else if (config_.job->combine().kind == learn::combine_kind::krum) // its sums are being made on the stream
      stream_.on_complete([this, now = now_, u] { now.post([this, u] { to_replica(u); }); });
    else
      to_replica(u);
  }
  auto begun = core_.rewound();
  auto mine = memory_.update(
    stream_, c, u.blocks, u.sums, core_.applied(), begun,
    [this, now = now_, begun](const payload& next) { now.post([this, begun, next] { applied(begun, next); }); });
  if (!mine)
    self_->quit(); // there is a newer one
}

void shard_holder::applied(view begun, const payload& next) {
  if (core_.rewound() != begun)
    return; // the run went back meanwhile
  memory_.adopt(next);
  auto ready = core_.on_applied();
  std::erase_if(restored_sums_, [&](step at) { return core_.applied().contains(at); });
  auto shown = shown_version();
  feed_.on_applied({core_.applied(), next});
  publish_news(shown);
  deliver_snapshots();
  if (replica_waits_)
    send_state();
  hand_over();
  if (ready)
    apply(*ready);
  report_sums(); // of steps further on: they may wait for word that this shard is no longer behind
}

std::optional<step> shard_holder::shown_version() const {
  return feed_.shown() ? std::optional{feed_.shown()->applied.version()} : std::nullopt;
}

void shard_holder::publish_news(const std::optional<step>& before) {
  if (shown_version() != before)
    for (auto& agent : core_.agents())
      publish(agent);
}

void shard_holder::publish(const member& to) {
  if (!feed_.shown())
    return;
  if (auto agent = config_.job->roles->locate<agent_actor>(to.role); agent.handle) {
    auto& [applied, values] = *feed_.shown();
    if (!config_.job->beside(shard_, to.role))
      config_.job->sent_bytes += values.bytes();
    troupe::anon_send(agent.handle, parameters{core_.from(), applied, values.for_reader(agent.process)});
  }
}

void shard_holder::deliver_snapshots() {
  if (core_.loaded())
    snapshots_.deliver(stream_, now_, core_.version(), memory_.values(), memory_.state());
}

} // namespace troupe
