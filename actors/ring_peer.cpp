#include "actors/ring_peer.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fmt/format.h>
#include <stdexcept>

#include "actors/fault_places.hpp"
#include "actors/stream_failure.hpp"
#include "gpu/kernels/reduce.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

// A peer that has waited for so long sends again what may be lost. It grows when it was in vain, as an agent's does.
constexpr std::chrono::milliseconds min_patience = 1s;
constexpr std::chrono::milliseconds max_patience = 30s;
// Fetching moves a whole model: the deadline is for a peer that is gone without a word (R7).
constexpr auto fetch_deadline = 60s;
// A bucket has at least so many floats, if there are so many: 1 MiB.
constexpr size_t bucket_floats = size_t{256} * 1024;

// From the last block to the first, as backward finishes them.
std::vector<ring_bucket> buckets_of(const learn::layout& layout) {
  auto result = std::vector<ring_bucket>{};
  for (auto b = layout.blocks().size(); b-- > 0;) {
    if (result.empty() || result.back().size >= bucket_floats)
      result.emplace_back();
    auto& bucket = result.back();
    bucket.blocks.insert(bucket.blocks.begin(), {b});
    bucket.size += layout.blocks()[b].size;
  }
  return result;
}

} // namespace

ring_peer::ring_peer(interface::pointer self, life now, const config& c)
  : self_(self), now_(std::move(now)), config_(c),
    core_({config_.role, now_.number()}, buckets_of(config_.job->model->layout())),
    stream_(config_.where, fail_with_stream(now_, config_.role)), sums_(core_.buckets()), patience_(min_patience) {
  // nop
}

ring_peer_actor::behavior_type ring_peer::make_behavior() {
  // Behind an update that a life before may have left on the lane.
  claim_ = config_.vault->claim(config_.role.index);
  config_.vault->when_settled(config_.role.index, [this, now = now_] { now.post([this] { restore(); }); });
  config_.job->roles->subscribe(caf::actor_cast<caf::strong_actor_ptr>(self_));
  schedule_tick();
  return {
    [this](const role_bound& r) {
      if (r.role.kind == "coordinator")
        announce();
      perform(core_.on_bound({r.role, r.incarnation}));
    },
    [this](const view_changed& v) {
      auto before = core_.dropped();
      auto agent = core_.agent();
      perform(core_.on_view(v));
      if (core_.agent() != agent)
        publish();
      counted(before);
      answer_snapshots();
    },
    [this](const load_shard& l) { load(l.version, l.values, l.state, l.since); },
    [this](const push_gradients& p) {
      auto take = [this, p] {
        auto before = core_.dropped();
        auto actions = ring_core::actions{};
        if (p.gradient.type() == dtype::f32 && p.block.value < config_.job->model->layout().blocks().size() &&
            p.gradient.elements() == config_.job->model->layout().blocks()[p.block.value].size &&
            core_.on_push(p, actions))
          pushed_[{p.block, p.node}] = p.gradient;
        counted(before);
        perform(actions);
      };
      if (!struck(self_, now_, TROUPE_FAULT(places::peer_on_push, config_.role, now_.number(), p.at.value), take))
        take();
    },
    [this](const pull_parameters& p) {
      if (core_.loaded() && (p.any || p.have < core_.version()))
        publish();
      report(); // a report or its commit may be what was lost
    },
    [this](const commit_step& c) {
      if (struck(self_, now_, TROUPE_FAULT(places::peer_before_apply, config_.role, now_.number(), c.at.value), [] {}))
        return;
      auto before = core_.dropped();
      if (core_.on_commit(c))
        apply(c);
      counted(before);
    },
    [this](const take_snapshot& t) {
      auto promise = self_->make_response_promise<shard_snapshot>();
      asked_.emplace_back(t, promise);
      answer_snapshots();
      return promise;
    },
    [this](const step_plan& p) {
      auto before = core_.dropped();
      perform(core_.on_plan(p));
      counted(before);
    },
    [this](const ring_chunk& c) {
      auto take = [this, c] {
        auto before = core_.dropped();
        perform(core_.on_chunk(c));
        counted(before);
      };
      if (!struck(self_, now_, TROUPE_FAULT(places::peer_on_chunk, config_.role, now_.number(), c.at.value), take))
        take();
    },
    [this](const leave_run&) { leaving_ = true; },
  };
}

void ring_peer::counted(uint64_t dropped_before) {
  config_.job->dropped += core_.dropped() - dropped_before;
}

void ring_peer::schedule_tick() {
  run_after(self_, patience_, now_.guard([this] {
    auto idle = core_.idle();
    patience_ = idle ? std::min<std::chrono::milliseconds>(patience_ * 2, max_patience) : min_patience;
    if (idle)
      announce();
    perform(core_.on_tick());
    schedule_tick();
  }));
}

// -- parameters -------------------------------------------------------------------------------------------------------

void ring_peer::restore() {
  restored_ = true;
  if (auto kept = config_.vault->find(config_.role.index)) {
    auto actions = ring_core::actions{};
    if (core_.on_loaded(kept->applied.version(), kept->since, actions)) {
      values_ = std::move(kept->values);
      state_ = std::move(kept->state);
    }
    perform(actions);
  }
  announce();
}

void ring_peer::announce() {
  if (!restored_)
    return;
  report();
  if (auto coordinator = config_.job->roles->find_as<coordinator_actor>({"coordinator", 0}))
    troupe::anon_send(coordinator, join{core_.self(), core_.version(), core_.loaded(), core_.rewound()});
}

void ring_peer::load(step version, const payload& values, const std::vector<payload>& state, view since) {
  auto size = config_.job->model->layout().size();
  auto fits = [&](const payload& p) { return p.type() == dtype::f32 && p.elements() == size; };
  if (!fits(values) || !std::all_of(state.begin(), state.end(), fits))
    throw std::invalid_argument(fmt::format("{} was given parameters of another size", to_string(config_.role)));
  auto actions = ring_core::actions{};
  if (!core_.on_loaded(version, since, actions)) {
    ++config_.job->dropped;
    return;
  }
  values_ = values;
  state_ = state;
  for (auto missing = static_cast<size_t>(learn::state_buffers(config_.optimizer)); state_.size() < missing;) {
    state_.push_back(payload::floats(size));
    std::memset(state_.back().mutable_data(), 0, state_.back().bytes());
  }
  pushed_.clear();
  config_.vault->keep(config_.role.index, claim_, {{version, {}}, values_, state_, core_.rewound()});
  perform(actions);
  publish();
  answer_snapshots();
}

void ring_peer::perform(const ring_core::fetch_model& a) {
  auto peer = config_.job->roles->find_as<ring_peer_actor>(a.from.role);
  if (fetching_ || !peer)
    return;
  fetching_ = true;
  troupe::request(self_, peer, fetch_deadline, take_snapshot{core_.from().view, a.version, true})
    .then(now_.guard([this, begun = core_.rewound()](const shard_snapshot& s) {
      fetching_ = false;
      if (core_.rewound() == begun) // else it is of a time that is void
        load(s.version, s.values, s.state, begun);
      announce();
    }),
          now_.guard([this](const caf::error&) { fetching_ = false; })); // asked again, of another one, by the tick
}

// Whoever knows of a later view may ask for what has been made since the run went back: so this peer has to know, too.
void ring_peer::answer_snapshots() {
  std::erase_if(asked_, [&](auto& x) {
    if (x.first.view > core_.from().view)
      return false;
    snapshots_.add(x.first, x.second);
    return true;
  });
  if (core_.loaded())
    snapshots_.deliver(stream_, now_, core_.version(), values_, state_);
}

void ring_peer::publish() {
  if (!core_.loaded() || !core_.agent())
    return;
  if (auto agent = config_.job->roles->find_as<agent_actor>(core_.agent()->role))
    troupe::anon_send(agent, parameters{core_.from(), {core_.version(), {}}, values_});
}

// -- the ring ---------------------------------------------------------------------------------------------------------

// One after the other: what follows from one that is done at once comes behind those that are there already, so that a
// sum is measured when all its chunks are in place.
void ring_peer::perform(const ring_core::actions& actions) {
  to_do_.insert(to_do_.end(), actions.begin(), actions.end());
  if (std::exchange(busy_, true))
    return;
  for (; !to_do_.empty(); to_do_.pop_front())
    std::visit([this](auto& x) { perform(x); }, to_do_.front());
  busy_ = false;
}

void ring_peer::perform(const ring_core::ask_plan& a) {
  if (auto broker = config_.job->roles->find_as<data_broker_actor>({"data_broker", 0}))
    troupe::anon_send(broker, request_plan{core_.from(), a.at, core_.crew_since()});
}

void ring_peer::perform(const ring_core::start_over&) {
  sums_.clear();
  std::erase_if(pushed_, [&](auto&) { return !core_.loaded(); });
}

void ring_peer::perform(const ring_core::assemble& a) {
  auto& bucket = core_.buckets()[a.bucket];
  auto parts = std::vector<std::vector<payload>>{}; // by block
  for (auto b : bucket.blocks) {
    auto& list = parts.emplace_back();
    for (auto& node : a.nodes)
      list.push_back(pushed_.at({b, node}));
  }
  if (sums_.assemble(stream_, a.bucket, std::move(parts)))
    return perform(core_.on_assembled(core_.crew_since(), a.bucket));
  stream_.on_complete([this, now = now_, since = core_.crew_since(), at = core_.version(), bucket = a.bucket] {
    now.post([this, since, at, bucket] {
      if (at == core_.version())
        perform(core_.on_assembled(since, bucket));
    });
  });
}

void ring_peer::perform(const ring_core::send& a) {
  auto c = a.what;
  if (c.values.empty())
    c.values = sums_.own(c.bucket, c.chunk, core_.peers());
  if (auto peer = config_.job->roles->locate<ring_peer_actor>(a.to.role); peer.handle) {
    config_.job->sent_bytes += c.values.bytes();
    c.values = c.values.for_reader(peer.process);
    troupe::anon_send(peer.handle, std::move(c));
  }
}

void ring_peer::perform(const ring_core::reduce& a) {
  auto c = a.what;
  auto sum = sums_.add(stream_, c, core_.peers(), c.chunk == core_.place());
  c.values = sum.values;
  if (sum.there)
    return perform(core_.on_reduced(std::move(c)));
  stream_.on_complete([this, now = now_, c] { now.post([this, c] { perform(core_.on_reduced(c)); }); });
}

void ring_peer::perform(const ring_core::complete& a) {
  sums_.complete(stream_, a.bucket, a.chunk, a.values, core_.peers());
}

// Of all blocks, whoever summed them up: the norm of the gradient has the same bits for every peer.
void ring_peer::perform(const ring_core::measure& a) {
  auto norms = std::make_shared<std::vector<block_norm>>();
  auto blocks = config_.job->model->layout().blocks();
  for (uint32_t b = 0; b < core_.buckets().size(); ++b)
    stream_.enqueue([norms, blocks, bucket = core_.buckets()[b], sum = sums_.total(b)] {
      auto* from = sum.as_floats().data();
      for (auto id : bucket.blocks) {
        auto n = gpu::kernels::norm_and_finite(blocks[id.value].size, from);
        norms->push_back({id, n.sum_of_squares, n.finite});
        from += blocks[id.value].size;
      }
    });
  stream_.on_complete([this, now = now_, since = core_.crew_since(), at = a.at, norms] {
    now.post([this, since, at, norms] {
      if (core_.on_norms(since, at, *norms))
        report();
    });
  });
}

void ring_peer::report() {
  if (!core_.loaded() || !core_.summed())
    return;
  if (auto coordinator = config_.job->roles->find_as<coordinator_actor>({"coordinator", 0}))
    troupe::anon_send(coordinator, shard_summed{core_.from(), core_.version(), core_.version(), core_.norms()});
}

void ring_peer::apply(const commit_step& c) {
  auto update = config_.vault->begin(config_.role.index, claim_);
  if (!update)
    return self_->quit(); // there is a newer one
  auto next = c.skip ? values_ : payload::floats(values_.elements());
  auto at = learn::update_point{c.version.value + 1, c.learning_rate, c.scale};
  auto& places = config_.job->shards;
  auto blocks = config_.job->model->layout().blocks();
  for (uint32_t b = 0; b < core_.buckets().size() && !c.skip; ++b) {
    auto* gradient = sums_.total(b).as_floats().data();
    for (auto id : core_.buckets()[b].blocks) {
      auto offset = places.offset(id.value);
      auto states = std::vector<float*>{};
      for (auto& s : state_)
        states.push_back(s.mutable_floats().data() + offset);
      learn::update(stream_, config_.optimizer, at, blocks[id.value], gradient, values_.as_floats().data() + offset,
                    next.mutable_floats().data() + offset, states);
      gradient += blocks[id.value].size;
    }
  }
  auto applied = step_set{c.version.next(), {}};
  // The completion keeps everything that the update reads and writes until it is done.
  stream_.on_complete([this, now = now_, update = std::move(update), applied, begun = core_.rewound(), next,
                       old = values_, state = state_, sums = sums_.totals()]() mutable {
    update->keep({applied, next, state, begun});
    update.reset();
    now.post([this, begun, next] {
      if (core_.rewound() != begun)
        return; // the run went back meanwhile
      values_ = next;
      pushed_.clear();
      sums_.clear();
      auto actions = core_.on_applied();
      // Its own agent is gone, and all the others have the parameters as well.
      if (leaving_ && !core_.agent() && core_.peers() > 1)
        return self_->quit();
      publish();
      answer_snapshots();
      perform(actions);
    });
  });
}

} // namespace troupe
