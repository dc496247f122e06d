#include "actors/coordinator.hpp"

#include <chrono>
#include <cstring>
#include <fmt/format.h>

#include "actors/fault_places.hpp"
#include "actors/post.hpp"
#include "actors/stream_failure.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

constexpr auto tick = 2s;
// Loading and collecting move a whole shard: the deadline is for a peer that is gone without a word (R7).
constexpr auto shard_deadline = 60s;

} // namespace

coordinator::coordinator(caf::actor_config& cfg, config c)
    : coordinator_actor::base(cfg),
      config_(std::move(c)),
      core_(config_.core),
      files_(config_.files, end_with_stream_failure(this, config_.self.role)),
      born_(now()) {
  // nop
}

coordinator::time_point coordinator::now() {
  return home_system().clock().now();
}

double coordinator::seconds_since(time_point start) {
  return std::chrono::duration<double>(now() - start).count();
}

void coordinator::note(const std::string& sentence) {
  if (config_.observer.on_note)
    config_.observer.on_note(sentence);
}

coordinator_actor::behavior_type coordinator::make_behavior() {
  config_.job->roles->subscribe(caf::actor_cast<caf::strong_actor_ptr>(this));
  schedule_tick();
  return {
    [this](const join& j) {
      watch(j.who);
      perform(core_.on_join(j));
    },
    [](const role_bound&) {
      // A new incarnation says so itself, with `join`.
    },
    [this](const micro_batches_done& d) {
      drops_[d.from.role] = d.dropped;
      perform(core_.on_results(d));
    },
    [this](const shard_summed& s) { perform(core_.on_summed(s)); },
    [this](const evaluation& e) { perform(core_.on_evaluation(e)); },
    [this](const stop_run&) { perform(core_.on_stop()); },
  };
}

void coordinator::schedule_tick() {
  run_after(this, tick, [this] {
    perform(core_.on_tick());
    ask_the_missing();
    schedule_tick();
  });
}

// Word of a start, or of a reconnection, may have been lost; only agents repeat it by themselves.
void coordinator::ask_the_missing() {
  for (auto& entry : config_.job->roles->entries())
    if (entry.role != config_.self.role && entry.handle && !core_.has(member{entry.role, entry.incarnation}))
      troupe::anon_send(caf::actor_cast<caf::actor>(entry.handle), role_bound{config_.self.role, config_.self.incarnation});
}

void coordinator::watch(const member& who) {
  auto& seen = watched_[who.role];
  auto handle = config_.job->roles->find(who.role);
  if (!handle || (seen.value != 0 && seen >= who.incarnation))
    return;
  seen = who.incarnation;
  troupe::monitor(this, caf::actor_cast<caf::actor>(handle), [this, who](const caf::error&) { lost(who); });
}

void coordinator::lost(const member& who) {
  perform(core_.on_lost(who));
}

void coordinator::perform(const coordinator_core::actions& actions) {
  for (auto& a : actions)
    if (!ended_)
      std::visit([this](auto& x) { perform(x); }, a);
}

// -- what the core asks for -------------------------------------------------------------------------------------------

void coordinator::perform(const coordinator_core::publish& a) {
  if (!began_)
    began_ = now();
  auto& roles = *config_.job->roles;
  for (auto& m : a.to) {
    auto handle = roles.find(m.role);
    if (handle)
      troupe::anon_send(caf::actor_cast<caf::actor>(handle), a.what);
  }
}

void coordinator::perform(const coordinator_core::load& a) {
  auto& places = config_.job->shards;
  auto blocks = config_.job->model->layout().blocks();
  auto part = [&](const learn::flat& flat) {
    auto result = payload::floats(places.size(a.shard));
    for (auto b : places.blocks(a.shard))
      std::memcpy(result.mutable_floats().data() + places.offset(b), flat.data() + blocks[b].offset,
                  blocks[b].size * sizeof(float));
    return result;
  };
  auto message = load_shard{core_.number(), a.version, part(config_.initial->parameters), {}};
  for (auto& s : config_.initial->state)
    message.state.push_back(part(s));
  auto holder = config_.job->roles->find_as<shard_holder_actor>({"shard_holder", a.shard});
  troupe::request(this, holder, shard_deadline, std::move(message))
    .then([this, shard = a.shard] { perform(core_.on_loaded(shard)); },
          [this, shard = a.shard](const caf::error& e) {
            perform(coordinator_core::give_up{fmt::format("shard_holder/{} did not take its parameters: {}", shard, caf::to_string(e))});
          });
}

void coordinator::perform(const coordinator_core::commit& a) {
  auto at = a.what.at.value;
  if (struck(this, TROUPE_FAULT(places::coordinator_before_commit, config_.self.role, config_.self.incarnation, at), [] {}))
    return;
  for (uint32_t shard = 0; shard < config_.job->shards.shards(); ++shard)
    if (auto holder = config_.job->roles->find_as<shard_holder_actor>({"shard_holder", shard}))
      troupe::anon_send(holder, a.what);
}

void coordinator::perform(const coordinator_core::committed& a) {
  if (auto broker = config_.job->roles->find_as<data_broker_actor>({"data_broker", 0}))
    troupe::anon_send(broker, a.what);
}

void coordinator::perform(const coordinator_core::test& a) {
  if (!test_began_)
    test_began_ = now();
  if (auto agent = config_.job->roles->find_as<agent_actor>(a.to.role))
    troupe::anon_send(agent, a.what);
}

void coordinator::perform(const coordinator_core::step_done& a) {
  outcome_.samples += a.samples;
  if (!first_commit_) {
    first_commit_ = now();
    outcome_.seconds_to_first_step = seconds_since(born_);
    test_seconds_ = 0;
  } else {
    outcome_.steady_samples += a.samples;
    outcome_.training_seconds = seconds_since(*first_commit_) - test_seconds_;
  }
  if ((a.at.value + 1) % config_.log_every == 0)
    outcome_.train_loss.emplace_back(a.at.value + 1, a.loss);
  if (!config_.observer.on_step)
    return;
  auto rate = outcome_.training_seconds > 0 ? static_cast<double>(outcome_.steady_samples) / outcome_.training_seconds : 0;
  config_.observer.on_step({a.at.value + 1, core_.last_step(), a.epoch, config_.core.epochs, a.loss, a.accuracy, rate, outcome_.samples});
}

void coordinator::perform(const coordinator_core::epoch_done& a) {
  if (test_began_) {
    test_seconds_ += seconds_since(*test_began_);
    test_began_.reset();
  }
  outcome_.test_accuracy.push_back(a.accuracy);
  if (config_.observer.on_epoch)
    config_.observer.on_epoch({a.epoch, a.accuracy, a.loss, seconds_since(*began_)});
}

void coordinator::perform(const coordinator_core::checkpoint& a) {
  if (saving_) {
    note(fmt::format("the checkpoint of step {} is left out: the one before is still being written", a.version.value));
    return;
  }
  saving_ = true;
  collect(a.version, true, [this](model_state s) { save(std::move(s), [this] { saving_ = false; }); });
}

void coordinator::perform(const coordinator_core::finish& a) {
  auto with_state = static_cast<bool>(config_.save);
  collect(a.version, with_state, [this, cause = a.cause](model_state s) {
    if (config_.save)
      save(s, [this, cause, s] { end(cause, s); });
    else
      end(cause, std::move(s));
  });
}

void coordinator::perform(const coordinator_core::give_up& a) {
  if (std::exchange(ended_, true))
    return;
  config_.on_done(fail(a.sentence));
  quit();
}

// -- state ------------------------------------------------------------------------------------------------------------

void coordinator::collect(step version, bool with_state, std::function<void(model_state)> use) {
  struct gathering {
    model_state state;
    uint32_t missing;
    std::function<void(model_state)> use;
  };
  auto& job = *config_.job;
  auto size = job.model->layout().size();
  auto all = std::make_shared<gathering>(gathering{{version, learn::flat{size}, {}}, job.shards.shards(), std::move(use)});
  for (uint32_t shard = 0; shard < job.shards.shards(); ++shard) {
    auto holder = job.roles->find_as<shard_holder_actor>({"shard_holder", shard});
    troupe::request(this, holder, shard_deadline, take_snapshot{core_.number(), version, with_state})
      .then(
        [this, all, shard, size](const shard_snapshot& part) {
          auto& places = config_.job->shards;
          auto blocks = config_.job->model->layout().blocks();
          while (all->state.state.size() < part.state.size())
            all->state.state.emplace_back(size);
          for (auto b : places.blocks(shard)) {
            auto copy = [&](learn::flat& to, const payload& from) {
              std::memcpy(to.data() + blocks[b].offset, from.as_floats().data() + places.offset(b), blocks[b].size * sizeof(float));
            };
            copy(all->state.parameters, part.values);
            for (size_t i = 0; i < part.state.size(); ++i)
              copy(all->state.state[i], part.state[i]);
          }
          if (--all->missing == 0)
            all->use(std::move(all->state));
        },
        [this, shard](const caf::error& e) {
          perform(coordinator_core::give_up{fmt::format("shard_holder/{} did not hand over its parameters: {}", shard, caf::to_string(e))});
        });
  }
}

void coordinator::save(model_state state, std::function<void()> then) {
  files_.enqueue([me = caf::weak_actor_ptr{ctrl()}, this, write = config_.save, state = std::move(state), then = std::move(then)] {
    auto written = write(state);
    post(me, [this, written, then] {
      if (!written)
        note(written.error().sentence);
      then();
    });
  });
}

void coordinator::end(coordinator_core::stop_cause cause, model_state final) {
  if (std::exchange(ended_, true))
    return;
  outcome_.cause = cause;
  outcome_.final = std::move(final);
  outcome_.seconds = began_ ? seconds_since(*began_) : 0;
  for (auto& [role, n] : drops_)
    outcome_.agent_drops += n;
  config_.job->dropped += core_.dropped();
  config_.on_done(std::move(outcome_));
  quit();
}

} // namespace troupe
