#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <chrono>
#include <cstring>
#include <deque>
#include <fmt/format.h>
#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

#include "actors/fault_places.hpp"
#include "actors/hosted_job.hpp"
#include "actors/peer_core.hpp"
#include "actors/shard_vault.hpp"
#include "actors/snapshot_queue.hpp"
#include "actors/stream_failure.hpp"
#include "gpu/stream.hpp"
#include "learn/optimizer.hpp"
#include "messages/interfaces.hpp"
#include "supervision/in_place.hpp"

namespace troupe {

/// The buckets of a layout, from the last block to the first, as backward finishes them: each of 1 MiB or more, if
/// there is so much.
std::vector<peer_bucket> buckets_of(const learn::layout& layout);

struct model_peer_config {
  role_id role;
  std::shared_ptr<hosted_job> job;
  std::shared_ptr<shard_vault> vault;
  learn::optimizer_options optimizer;
  gpu::device where;
};

/// What the shells of ring peers and gossip peers have in common: to their agent they are what a shard holder of
/// everything is. `Peer` performs what its core asks for beside, and applies commits; see `ring_peer`, `gossip_peer`.
template <class Peer, class Core, class Interface>
class model_peer {
public:
  using interface = Interface;
  using config = model_peer_config;

protected:
  using actions = typename Core::actions;
  using handle_pointer = typename interface::pointer;

  model_peer(handle_pointer self, life now, const config& c, Core core)
    : self_(self), now_(std::move(now)), config_(c), core_(std::move(core)),
      stream_(config_.where, fail_with_stream(now_, config_.role)) {}

  /// Behind an update that a life before may have left on the lane.
  void begin() {
    claim_ = config_.vault->claim(config_.role.index);
    config_.vault->when_settled(config_.role.index, [this, now = now_] { now.post([this] { restore(); }); });
    config_.job->roles->subscribe(caf::actor_cast<caf::strong_actor_ptr>(self_));
    schedule_tick();
  }

  // -- messages -------------------------------------------------------------------------------------------------------

  void on(const role_bound& r) {
    if (r.role.kind == "coordinator")
      announce();
    perform(core_.on_bound({r.role, r.incarnation}));
  }

  void on(const view_changed& v) {
    auto before = core_.dropped();
    auto agent = core_.agent();
    perform(core_.on_view(v));
    if (core_.agent() != agent)
      publish();
    counted(before);
    answer_snapshots();
  }

  void on(const push_gradients& p) {
    auto before = core_.dropped();
    auto out = actions{};
    auto blocks = config_.job->model->layout().blocks();
    if (p.gradient.type() == dtype::f32 && p.block.value < blocks.size() &&
        p.gradient.elements() == blocks[p.block.value].size && core_.on_push(p, out))
      pushed_[{p.block, p.node}] = p.gradient;
    counted(before);
    perform(out);
  }

  void on(const pull_parameters& p) {
    if (core_.loaded() && (p.any || p.have < core_.version()))
      publish();
    peer().tell_result(); // it or its commit may be what was lost
  }

  auto on(const take_snapshot& t) {
    auto promise = self_->template make_response_promise<shard_snapshot>();
    asked_.emplace_back(t, promise);
    answer_snapshots();
    return promise;
  }

  void on(const step_plan& p) {
    auto before = core_.dropped();
    perform(core_.on_plan(p));
    counted(before);
  }

  void counted(uint64_t dropped_before) { config_.job->dropped += core_.dropped() - dropped_before; }

  // -- parameters -----------------------------------------------------------------------------------------------------

  void load(step version, const payload& values, const std::vector<payload>& state, view since) {
    auto size = config_.job->model->layout().size();
    auto fits = [&](const payload& p) { return p.type() == dtype::f32 && p.elements() == size; };
    if (!fits(values) || !std::all_of(state.begin(), state.end(), fits))
      throw std::invalid_argument(fmt::format("{} was given parameters of another size", to_string(config_.role)));
    auto out = actions{};
    if (!core_.on_loaded(version, since, out)) {
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
    perform(out);
    publish();
    answer_snapshots();
  }

  void publish() {
    if (!core_.loaded() || !core_.agent())
      return;
    if (auto agent = config_.job->roles->template find_as<agent_actor>(core_.agent()->role))
      troupe::anon_send(agent, parameters{core_.from(), {core_.version(), {}}, values_});
  }

  /// Whoever knows of a later view may ask for what has been made since the run went back: so this peer has to know,
  /// too.
  void answer_snapshots() {
    std::erase_if(asked_, [&](auto& x) {
      if (x.first.view > core_.from().view)
        return false;
      snapshots_.add(x.first, x.second);
      return true;
    });
    if (core_.loaded())
      snapshots_.deliver(stream_, now_, core_.version(), values_, state_);
  }

  /// A commit has been applied. Its own agent is gone, and all the others have a model as well.
  [[nodiscard]] bool may_leave() const { return leaving_ && !core_.agent() && core_.peers() > 1; }

  void say_result(const std::vector<block_norm>& norms) {
    if (auto coordinator = config_.job->roles->template find_as<coordinator_actor>({"coordinator", 0}))
      troupe::anon_send(coordinator, shard_summed{core_.from(), core_.version(), core_.version(), norms});
  }

  // -- what the core asks for -----------------------------------------------------------------------------------------

  /// One after the other: what follows from one that is done at once comes behind those that are there already, so that
  /// a sum is measured when all its chunks are in place.
  void perform(const actions& more) {
    to_do_.insert(to_do_.end(), more.begin(), more.end());
    if (std::exchange(busy_, true))
      return;
    for (; !to_do_.empty(); to_do_.pop_front())
      std::visit([this](auto& x) { peer().perform(x); }, to_do_.front());
    busy_ = false;
  }

  void perform(const peer_core::ask_plan& a) {
    if (auto broker = config_.job->roles->template find_as<data_broker_actor>({"data_broker", 0}))
      troupe::anon_send(broker, request_plan{core_.from(), a.at, core_.crew_since()});
  }

  void perform(const peer_core::fetch_model& a) {
    auto from = config_.job->roles->template find_as<interface>(a.from.role);
    if (fetching_ || !from)
      return;
    fetching_ = true;
    troupe::request(self_, from, fetch_deadline, take_snapshot{core_.from().view, a.version, true})
      .then(now_.guard([this, begun = core_.rewound()](const shard_snapshot& s) {
        fetching_ = false;
        if (core_.rewound() == begun) // else it is of a time that is void
          load(s.version, s.values, s.state, begun);
        announce();
      }),
            now_.guard([this](const caf::error&) { fetching_ = false; })); // asked again, of another one, by the tick
  }

  /// What has been pushed of these nodes, by block.
  [[nodiscard]] std::vector<std::vector<payload>> parts_of(uint32_t bucket, const std::vector<tree_node>& nodes) const {
    auto parts = std::vector<std::vector<payload>>{};
    for (auto b : core_.buckets()[bucket].blocks) {
      auto& list = parts.emplace_back();
      for (auto& node : nodes)
        list.push_back(pushed_.at({b, node}));
    }
    return parts;
  }

  handle_pointer self_;
  life now_;
  config config_;
  uint64_t claim_ = 0; // of the vault's entry
  Core core_;
  gpu::stream stream_;
  payload values_;
  std::vector<payload> state_;
  std::map<std::pair<block_id, tree_node>, payload> pushed_; // by the agent, for the step in progress
  bool leaving_ = false;

private:
  // Fetching moves a whole model: the deadline is for a peer that is gone without a word (R7).
  static constexpr std::chrono::seconds fetch_deadline{60};
  // A peer that has waited for so long sends again what may be lost. It grows when it was in vain, as an agent's does.
  static constexpr std::chrono::milliseconds min_patience{1000};
  static constexpr std::chrono::milliseconds max_patience{30000};

  Peer& peer() { return static_cast<Peer&>(*this); }

  void restore() {
    restored_ = true;
    if (auto kept = config_.vault->find(config_.role.index)) {
      auto out = actions{};
      if (core_.on_loaded(kept->applied.version(), kept->since, out)) {
        values_ = std::move(kept->values);
        state_ = std::move(kept->state);
      }
      perform(out);
    }
    announce();
  }

  void announce() {
    if (!restored_)
      return;
    peer().tell_result();
    if (auto coordinator = config_.job->roles->template find_as<coordinator_actor>({"coordinator", 0}))
      troupe::anon_send(coordinator, join{core_.self(), core_.version(), core_.loaded(), core_.rewound()});
  }

  void schedule_tick() {
    run_after(self_, patience_, now_.guard([this] {
      auto idle = core_.idle();
      patience_ = idle ? std::min<std::chrono::milliseconds>(patience_ * 2, max_patience) : min_patience;
      if (idle)
        announce();
      perform(core_.on_tick());
      schedule_tick();
    }));
  }

  bool restored_ = false; // or known to have nothing to come back with
  std::deque<typename Core::action> to_do_;
  bool busy_ = false; // with the first of them
  snapshot_queue snapshots_;
  std::vector<std::pair<take_snapshot, snapshot_queue::promise>> asked_; // by those who know of a later view
  bool fetching_ = false;
  std::chrono::milliseconds patience_ = min_patience;
};

} // namespace troupe
