// What a coordinator does with the parameters of a run: loads, collects, writes and restores them.

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fmt/format.h>

#include "actors/coordinator.hpp"
#include "gpu/kernels/reduce.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

// Loading and collecting move a whole shard: the deadline is for a peer that is gone without a word (R7).
constexpr auto shard_deadline = 60s;
// A shard holder that is being started again hands over its parameters a little later.
constexpr auto finish_pause = 100ms;
constexpr int finish_attempts = 100;
// A writer that is gone holds the lock on the folder for at most its lease.
constexpr auto save_lease = 3s;
constexpr auto save_wait = 30s;

} // namespace

void coordinator::perform(const coordinator_core::load& a) {
  auto& places = config_.job->shards;
  auto blocks = config_.job->model->layout().blocks();
  auto shard = config_.job->has_peers() ? 0 : a.shard; // a peer holds the one there is
  auto part = [&](const learn::flat& flat) {
    auto result = payload::floats(places.size(shard));
    for (auto b : places.blocks(shard))
      std::memcpy(result.mutable_floats().data() + places.offset(b), flat.data() + blocks[b].offset,
                  blocks[b].size * sizeof(float));
    return result;
  };
  auto message = load_shard{core_.rewound(), a.version, part(record_.start->parameters), {}};
  for (auto& s : record_.start->state)
    message.state.push_back(part(s));
  auto role = role_id{core_.holder_kind(), a.shard};
  auto holder = config_.job->roles->find_as<shard_holder_actor>(role);
  // What becomes of it matters only while the same holder is waited for: the run may go back, the holder may be
  // replaced.
  auto matters = [this, role, since = core_.rewound(), who = core_.member_of(role)] {
    return core_.rewound() == since && core_.member_of(role) == who && core_.awaits_load_of(role.index);
  };
  troupe::request(self_, holder, shard_deadline, std::move(message))
    .then(life_.guard([this, matters, shard = a.shard] {
      if (matters())
        perform(core_.on_loaded(shard));
    }),
          life_.guard([this, matters, role, shard = a.shard](const caf::error& e) {
            if (!matters())
              return;
            if (e == caf::sec::request_timeout)
              perform(coordinator_core::give_up{
                fmt::format("{} did not take its parameters: {}", to_string(role), caf::to_string(e))});
            else
              run_after(self_, tick, life_.guard([this, matters, shard] {
                if (matters())
                  perform(core_.on_load_lost(shard));
              }));
          }));
}

void coordinator::perform(const coordinator_core::checkpoint& a) {
  if (saving_) {
    note(fmt::format("the checkpoint of step {} is left out: the one before is still being written", a.version.value));
    return;
  }
  saving_ = true;
  auto write = [this](model_state s) { save(std::move(s), [this] { saving_ = false; }); };
  collect({a.version, true,
           [this, version = a.version, write](snapshots s) { put_together(version, std::move(s), write); },
           [this, version = a.version](const std::string& why) {
             saving_ = false;
             note(fmt::format("the checkpoint of step {} is left out: {}", version.value, why));
           }});
}

void coordinator::perform(const coordinator_core::finish& a) {
  finish(a.cause, a.version, finish_attempts);
}

void coordinator::finish(coordinator_core::stop_cause cause, step version, int attempts) {
  auto write = [this, cause](model_state s) {
    if (config_.save)
      save(s, [this, cause, s] { end(cause, s); });
    else
      end(cause, std::move(s));
  };
  auto use = [this, version, write](snapshots s) {
    collected_ = true;
    put_together(version, std::move(s), write);
  };
  auto failed = [this, cause, version, attempts, since = core_.rewound()](const std::string& why) {
    auto again = [this, cause, version, since, left = attempts - (misses_a_holder() ? 0 : 1)] {
      if (core_.finished() && core_.rewound() == since)
        finish(cause, version, left);
    };
    if (!core_.finished() || core_.rewound() != since)
      return; // the run has gone back, and comes here again
    if (attempts == 0)
      perform(coordinator_core::give_up{why});
    else
      run_after(self_, finish_pause, life_.guard(again));
  };
  auto goes_on = cause == coordinator_core::stop_cause::part_done;
  collect({version, config_.save || goes_on, std::move(use), std::move(failed)});
}

// Its supervisor decides how long it is waited for.
bool coordinator::misses_a_holder() const {
  auto all = core_.holders();
  return std::any_of(all.begin(), all.end(), [&](auto& role) { return !core_.member_of(role); });
}

void coordinator::perform(const coordinator_core::restore&) {
  config_.vault->clear();
  if (config_.placer)
    config_.placer->nothing_ready();
  files_.enqueue([this, now = life_, restore = config_.restore] {
    auto state = restore();
    now.post([this, state] {
      if (!state) {
        perform(coordinator_core::give_up{state.error().sentence});
        return;
      }
      record_.start = *state;
      perform(core_.on_restored(record_.start->version));
    });
  });
}

namespace {

// What one has, or the mean of what several have, in their order.
model_state whole(const hosted_job& job, step version, const std::vector<std::vector<shard_snapshot>>& shards) {
  auto& places = job.shards;
  auto& layout = job.model->layout();
  auto result = model_state{version, learn::flat{layout.size()}, {}};
  for (uint32_t shard = 0; shard < shards.size(); ++shard) {
    auto& parts = shards[shard];
    while (result.state.size() < parts.front().state.size())
      result.state.emplace_back(layout.size());
    for (auto b : places.blocks(shard)) {
      auto& block = layout.blocks()[b];
      auto fill = [&](learn::flat& to, auto of) {
        auto from = std::vector<const float*>{};
        for (auto& p : parts)
          from.push_back(of(p).as_floats().data() + places.offset(b));
        if (from.size() == 1)
          std::memcpy(to.data() + block.offset, from.front(), block.size * sizeof(float));
        else
          gpu::kernels::mean(block.size, from, to.data() + block.offset);
      };
      fill(
        result.parameters, [](auto& p) -> auto& { return p.values; });
      for (size_t i = 0; i < parts.front().state.size(); ++i)
        fill(
          result.state[i], [i](auto& p) -> auto& { return p.state[i]; });
    }
  }
  return result;
}

} // namespace

void coordinator::put_together(step version, snapshots shards, std::function<void(model_state)> then) {
  files_.enqueue([now = life_, job = config_.job, version, shards = std::move(shards), then = std::move(then)] {
    now.post([then, state = std::make_shared<model_state>(whole(*job, version, shards))] { then(std::move(*state)); });
  });
}

void coordinator::collect(const collection& what) {
  struct gathering {
    collection what;
    snapshots shards;
    size_t missing = 0;
  };
  auto& job = *config_.job;
  auto sources = core_.sources(what.with_state);
  auto all = std::make_shared<gathering>(gathering{what, {}, 0});
  for (auto& each : sources) {
    all->shards.emplace_back(each.size());
    all->missing += each.size();
  }
  auto ask = [&](uint32_t shard, size_t index, const role_id& role) {
    auto holder = job.roles->find_as<shard_holder_actor>(role);
    troupe::request(self_, holder, shard_deadline, take_snapshot{{}, what.version, what.with_state})
      .then(life_.guard([this, all, shard, index, since = core_.rewound()](const shard_snapshot& part) {
        if (core_.rewound() != since) { // others may have handed over what came before
          if (std::exchange(all->missing, 0) != 0)
            all->what.failed("the run went back meanwhile");
          return;
        }
        all->shards[shard][index] = part;
        if (all->missing != 0 && --all->missing == 0)
          all->what.use(std::move(all->shards));
      }),
            life_.guard([all, role](const caf::error& e) {
              if (std::exchange(all->missing, 0) != 0) // told once
                all->what.failed(
                  fmt::format("{} did not hand over its parameters: {}", to_string(role), caf::to_string(e)));
            }));
  };
  for (uint32_t shard = 0; shard < sources.size(); ++shard)
    for (size_t i = 0; i < sources[shard].size(); ++i)
      ask(shard, i, sources[shard][i]);
}

void coordinator::save(model_state state, std::function<void()> then) {
  saves_.emplace_back(std::make_shared<const model_state>(std::move(state)), std::move(then));
  if (saves_.size() == 1)
    save_next();
}

void coordinator::save_next() {
  auto done = [this] {
    auto then = std::move(saves_.front().second);
    saves_.pop_front();
    if (!saves_.empty())
      save_next();
    then();
  };
  // Where the lock is lost meanwhile, and another writer has come, the writing fails by its token.
  locks_.acquire({config_.save_lock, save_lease, save_wait}, [this, done, state = saves_.front().first](
                                                               const expected<fencing_token>& token) {
    if (!token) {
      note(fmt::format("the checkpoint of step {} was not written: {}; training goes on", state->version.value,
                       token.error().sentence));
      done();
      return;
    }
    files_.enqueue([this, now = life_, write = config_.save, ledger = config_.ledger, state, token = *token, done] {
      // No checkpoint is ahead of the ledger: a run that goes on from it could not be audited.
      auto written = (ledger ? ledger->flush() : expected<void>{}).and_then([&] { return write(*state, token); });
      now.post([this, written, done] {
        if (!written)
          note(written.error().sentence);
        locks_.release(config_.save_lock);
        done();
      });
    });
  });
}

void coordinator::end(coordinator_core::stop_cause cause, model_state final) {
  if (std::exchange(record_.done, true))
    return;
  auto& outcome = record_.outcome;
  outcome.cause = cause;
  outcome.final = std::move(final);
  outcome.seconds = record_.began ? seconds_since(*record_.began) : 0;
  outcome.skipped_steps = record_.log->skipped;
  for (auto& [role, n] : record_.drops)
    outcome.agent_drops += n;
  config_.job->dropped += core_.dropped();
  if (config_.ledger)
    write_ledger();
  config_.on_done(std::move(outcome));
  self_->quit();
}

} // namespace troupe
