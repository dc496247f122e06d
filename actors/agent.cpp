#include "actors/agent.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

#include "actors/fault_places.hpp"
#include "actors/step_work.hpp"
#include "actors/stream_failure.hpp"

namespace troupe {
namespace {

// An agent that hears nothing for so long, while it has nothing to compute, asks again. It grows when it was in vain: a
// slow peer is not helped by repetition.
constexpr uint64_t min_patience_ms = 1000;
constexpr uint64_t max_patience_ms = 30000;
// Micro-batches that the stream has at a time where others may take over the rest: the next one is there when one ends.
constexpr size_t handed_ahead = 2;

} // namespace

agent::agent(interface::pointer self, life now, const config& c)
  : self_(self), now_(std::move(now)), config_(c),
    core_({config_.role, now_.number()}, config_.job->description.shards, config_.job->pace(), config_.job->peer_kind(),
          config_.job->aggregates() ? config_.job->taker(0, config_.role) : role_id{}, config_.job->splits_leases()),
    stream_(config_.where, fail_with_stream(now_, config_.role)),
    queue_(config_.job->splits_leases() ? handed_ahead : 0), patience_ms_(min_patience_ms) {
  // nop
}

agent::~agent() {
  // Work that is still on the stream uses the replica.
  stream_.enqueue([r = replica_] {});
}

agent_actor::behavior_type agent::make_behavior() {
  auto made = learn::make_replica(config_.job->model, config_.where);
  if (!made)
    throw std::runtime_error(made.error().sentence);
  replica_ = std::move(*made);
  bound_.resize(config_.job->model->layout().blocks().size());
  if (config_.job->local())
    local_.emplace(config_.job->model, config_.job->local_steps());
  if (config_.job->compresses())
    feedback_ = std::make_shared<learn::error_feedback>(config_.job->compression());
  for (const auto* kind : {"coordinator", config_.job->aggregates() ? "aggregator" : "shard_holder"})
    config_.job->roles->subscribe(caf::actor_cast<caf::strong_actor_ptr>(self_), kind);
  if (config_.job->held)
    config_.job->roles->subscribe(caf::actor_cast<caf::strong_actor_ptr>(self_), keeper_kind);
  schedule_tick();
  return {
    [this](const role_bound& r) {
      if (r.role.kind == "coordinator")
        perform(core_.on_coordinator());
      else if (r.role.kind == keeper_kind)
        ask_again_for_samples();
      else
        perform(core_.on_bound({r.role, r.incarnation}));
    },
    [this](const view_changed& v) { perform(core_.on_view(v)); },
    [this](const parameters& p) {
      auto shard = config_.job->has_peers() ? 0 : p.from.role.index;
      auto version = p.applied.version();
      if (core_.wants(p.from, version) && p.values.elements() == config_.job->shards.size(shard)) {
        auto& mine = arrived_[shard];
        mine[version] = p.values;
        if (mine.size() > agent_core::max_versions)
          mine.erase(mine.begin());
      }
      perform(core_.on_parameters(p.from, p.applied));
    },
    [this](const lease& l) {
      auto handle = [this, l] { perform(core_.on_lease(l)); };
      auto fault = TROUPE_FAULT(places::agent_on_lease, config_.role, now_.number(), l.at.value);
      if (!struck(self_, now_, fault, handle))
        handle();
      if (fault.is(fault_kind::leave))
        perform(core_.on_leave());
    },
    [this](const split_lease& word) { split(word); },
    [this](const reject_gradients& r) { perform(core_.on_rejected(r)); },
    [this](const evaluate& e) { perform(core_.on_evaluate(e)); },
    [this](const samples_held&) { go_on_with_samples(); },
    [this](const leave_run&) { perform(core_.on_leave()); },
  };
}

void agent::schedule_tick() {
  run_after(self_, std::chrono::milliseconds{patience_ms_}, now_.guard([this] {
    if (under_way_ == 0) {
      auto repairs = core_.on_tick();
      patience_ms_ = repairs.empty() ? min_patience_ms : std::min(patience_ms_ * 2, max_patience_ms);
      perform(repairs);
    }
    ask_again_for_samples();
    schedule_tick();
  }));
}

void agent::perform(const agent_core::actions& actions) {
  for (auto& a : actions)
    std::visit([this](auto& x) { perform(x); }, a);
}

void agent::perform(const agent_core::announce&) {
  if (auto coordinator = config_.job->roles->find_as<coordinator_actor>({"coordinator", 0}))
    troupe::anon_send(coordinator, join{core_.self(), core_.version().value_or(step{}), core_.version().has_value()});
}

void agent::perform(const agent_core::ask& a) {
  if (auto broker = config_.job->roles->find_as<data_broker_actor>({"data_broker", 0}))
    troupe::anon_send(broker, request_lease{core_.from(), a.at, core_.applied(), micro_batch_seconds_});
}

void agent::perform(const agent_core::offer& a) {
  if (auto broker = config_.job->roles->find_as<data_broker_actor>({"data_broker", 0}))
    troupe::anon_send(broker, offer_help{core_.from(), a.at, micro_batch_seconds_});
}

void agent::perform(const agent_core::pull& a) {
  if (auto holder = config_.job->roles->find_as<shard_holder_actor>(config_.job->holder(a.shard, config_.role)))
    troupe::anon_send(holder, pull_parameters{core_.from(), !core_.version(), core_.version().value_or(step{})});
}

void agent::perform(const agent_core::forget&) {
  arrived_.clear();
  to_fetch_.clear();
  late_.clear();
  tests_.clear();
  asked_.clear();
  epoch_.reset();
  queue_.abandon([](step) { return true; });
  feed();
  done_.clear();
  doubted_.clear();
  if (feedback_)
    stream_.enqueue([f = feedback_] { f->forget(); });
}

void agent::perform(const agent_core::go&) {
  self_->quit();
}

void agent::perform(const agent_core::use_parameters& a) {
  auto& places = config_.job->shards;
  for (uint32_t shard = 0; shard < places.shards(); ++shard) {
    auto& mine = arrived_[shard];
    auto i = mine.find(a.versions[shard]);
    if (i == mine.end())
      continue; // in use already
    auto values = std::move(i->second);
    mine.erase(mine.begin(), std::next(i));
    for (auto b : places.blocks(shard)) {
      bound_[b] = {values.as_floats().data() + places.offset(b), values.owner()};
      replica_->bind(stream_, b, bound_[b].data, bound_[b].owner);
    }
  }
  // Nothing is needed any more of steps that have taken effect.
  auto& applied = core_.applied();
  std::erase_if(done_, [&](auto& work) { return applied.contains(work->what().at); });
  std::erase_if(doubted_, [&](auto& x) { return applied.contains(x.first); });
  queue_.abandon([&](step at) { return applied.contains(at); });
  feed();
  std::erase_if(inputs_, [&](auto& x) { return applied.contains(x.first.first); });
  std::erase_if(asked_, [&](auto& x) { return applied.contains(x.first); });
  std::erase_if(late_, [&](auto& x) { return applied.contains(x.at); });
}

// -- compute ----------------------------------------------------------------------------------------------------------

void agent::perform(const agent_core::compute& a) {
  train(a.what, a.base, false);
}

void agent::train(const lease& what, step base, bool again) {
  auto work = std::make_shared<step_work>(config_.job, core_.from(), what, step_work::how{base, again, feedback_});
  if (under_way_++ == 0) {
    began_ = self_->home_system().clock().now();
    timed_ = 0;
    finished_ = 0;
  }
  timed_ += what.last - what.first;
  works_.emplace(queue_.add(what), std::move(work));
  ask_for_samples(what);
  feed();
}

// The stream gets what it may have of the work that was started, as far as the samples are there.
void agent::feed() {
  while (auto piece = queue_.peek()) {
    auto& work = works_.at(piece->work);
    auto in = samples_of(work->what().at, piece->micro_batch);
    if (!in)
      break;
    queue_.next();
    work->gathers(piece->micro_batch, in->ids);
    pass(work->what(), piece->micro_batch, *in, work);
    if (config_.job->splits_leases())
      stream_.on_complete([now = now_, this] {
        now.post([this] {
          ++finished_;
          queue_.on_done();
          feed();
        });
      });
  }
  while (auto complete = queue_.next_complete()) {
    auto work = std::move(works_.extract(complete->work).mapped());
    if (auto given = work->what().last - complete->end; given > 0) {
      timed_ -= std::min(given, timed_);
      stream_.enqueue([work, end = complete->end] { work->end_at(end); });
    }
    stream_.on_complete([now = now_, this, work, dropped = core_.dropped()] {
      work->report(dropped); // from here, not by way of the mailbox: the step waits for it
      now.post([this, work] { computed(work); });
    });
  }
  if (queue_.is_empty())
    for (auto& what : std::exchange(to_fetch_, {}))
      perform(agent_core::fetch{what});
}

// Another agent has time: it gets what is not begun here, if that is worth while.
void agent::split(const split_lease& word) {
  auto range = queue_.give_up(word.at, seconds_now(), word.micro_batch_seconds);
  core_.on_split(word.at, range.first, range.kept, range.last);
  if (auto broker = config_.job->roles->find_as<data_broker_actor>({"data_broker", 0}))
    troupe::anon_send(broker, lease_split{core_.from(), word.at, range.first, range.kept, range.last});
  feed();
}

// What a micro-batch takes, also where it has just begun to take longer.
double agent::seconds_now() const {
  if (!began_)
    return micro_batch_seconds_;
  auto took = std::chrono::duration<double>(self_->home_system().clock().now() - *began_).count();
  return std::max(micro_batch_seconds_, took / static_cast<double>(finished_ + 1));
}

// One micro-batch: forward and backward once, or the steps of a worker that is on its own until the next average.
void agent::pass(const lease& what, uint64_t m, const input& in, const std::shared_ptr<step_work>& work) {
  auto& job = *config_.job;
  auto blocks = job.model->layout().blocks();
  auto gradient = payload::floats_to_lend(job.model->layout().size());
  auto key = learn::pass_key{job.description.seed, what.at.value, m};
  auto to = gradient.mutable_floats().data();
  auto on_block = [work, m, gradient, in, blocks](size_t b) {
    work->finished(m, b, gradient.part(blocks[b].offset, blocks[b].size));
  };
  if (!local_)
    return replica_->train(stream_, view_of(in), {key, 1.0f / static_cast<float>(what.samples)}, to, work->result(m),
                           on_block);
  auto weight = static_cast<float>(static_cast<double>(in.n) / static_cast<double>(what.samples));
  local_->run(stream_, *replica_, bound_, view_of(in),
              {key, weight, job.description.micro_batch / job.description.local.steps}, to, work->result(m), on_block);
}

void agent::computed(const std::shared_ptr<step_work>& work) {
  if (--under_way_ == 0)
    measure_speed();
  patience_ms_ = min_patience_ms;
  if (core_.version() && !core_.applied().contains(work->what().at) && !core_.is_void(work->from()))
    keep(work);
  if (!work->is_again())
    perform(core_.on_computed());
}

// The broker gives slow agents less.
void agent::measure_speed() {
  if (!began_ || timed_ == 0)
    return;
  auto took = std::chrono::duration<double>(self_->home_system().clock().now() - *began_).count();
  auto each = took / static_cast<double>(timed_);
  micro_batch_seconds_ = micro_batch_seconds_ == 0 ? each : 0.8 * micro_batch_seconds_ + 0.2 * each;
}

void agent::keep(const std::shared_ptr<step_work>& work) {
  done_.push_back(work);
  for (auto& [at, block] : doubted_)
    if (at == work->what().at)
      prove(work, block);
}

void agent::perform(const agent_core::prove& a) {
  doubted_.insert({a.at, a.block});
  for (auto& work : std::vector{done_})
    if (work->what().at == a.at)
      prove(work, a.block);
}

// What is not finite is computed once more, as if for the first time: the same numbers, if they were right (R5).
void agent::prove(const std::shared_ptr<step_work>& work, block_id block) {
  if (!work->is_doubtful(block))
    return work->push_again(block);
  if (std::erase(done_, work) > 0)
    train(work->what(), *core_.version(), true);
}

void agent::perform(const agent_core::push_again&) {
  for (auto& work : done_) {
    work->push_again();
    work->report(core_.dropped());
  }
}

} // namespace troupe
