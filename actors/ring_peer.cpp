#include "actors/ring_peer.hpp"

#include "gpu/kernels/reduce.hpp"

namespace troupe {

ring_peer::ring_peer(interface::pointer self, const life& now, const config& c)
  : model_peer(
      self, now, c,
      {{c.role, now.number()}, buckets_of(c.job->model->layout()), {c.schedule, c.job->description.reproducible}}),
    sums_(core_.buckets()) {
  // nop
}

ring_peer_actor::behavior_type ring_peer::make_behavior() {
  begin();
  return {
    [this](const role_bound& r) { on(r); },
    [this](const view_changed& v) { on(v); },
    [this](const load_shard& l) { load(l.version, l.values, l.state, l.since); },
    [this](const push_gradients& p) {
      auto take = [this, p] { on(p); };
      if (!struck(self_, now_, TROUPE_FAULT(places::peer_on_push, config_.role, now_.number(), p.at.value), take))
        take();
    },
    [this](const pull_parameters& p) { on(p); },
    [this](const commit_step& c) {
      if (struck(self_, now_, TROUPE_FAULT(places::peer_before_apply, config_.role, now_.number(), c.at.value), [] {}))
        return;
      auto before = core_.dropped();
      if (core_.on_commit(c))
        apply(c);
      counted(before);
    },
    [this](const take_snapshot& t) { return on(t); },
    [this](const step_plan& p) { on(p); },
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

// -- the ring ---------------------------------------------------------------------------------------------------------

void ring_peer::perform(const ring_core::start_over&) {
  sums_.clear();
  std::erase_if(pushed_, [&](auto&) { return !core_.loaded(); });
}

void ring_peer::perform(const ring_core::assemble& a) {
  auto own = sums_.assemble(stream_, a.bucket, parts_of(a.bucket, a.nodes), core_.keeps_nodes_apart());
  if (own.there)
    return perform(core_.on_assembled(core_.crew_since(), a.bucket, own.values));
  stream_.on_complete([this, now = now_, since = core_.crew_since(), at = core_.version(), b = a.bucket, own] {
    now.post([this, since, at, b, own] {
      if (at == core_.version())
        perform(core_.on_assembled(since, b, own.values));
    });
  });
}

void ring_peer::perform(const ring_core::send& a) {
  auto c = a.what;
  if (auto peer = config_.job->roles->locate<ring_peer_actor>(a.to.role); peer.handle) {
    config_.job->sent_bytes += c.values.bytes();
    c.values = c.values.for_reader(peer.process);
    troupe::anon_send(peer.handle, std::move(c));
  }
}

void ring_peer::perform(const ring_core::reduce& a) {
  go_on(sums_.add(stream_, a), a.bucket, a.chunk);
}

void ring_peer::perform(const ring_core::join& a) {
  go_on(sums_.join(stream_, a), a.bucket, a.chunk);
}

void ring_peer::go_on(const ring_sums::sum& made, uint32_t bucket, uint32_t chunk) {
  auto done = [this, since = core_.crew_since(), at = core_.version(), bucket, chunk, v = made.values] {
    perform(core_.on_reduced(since, at, bucket, chunk, v));
  };
  if (made.there)
    done();
  else
    stream_.on_complete([now = now_, done] { now.post(done); });
}

void ring_peer::perform(const ring_core::complete& a) {
  sums_.complete(stream_, a);
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
        tell_result();
    });
  });
}

void ring_peer::tell_result() {
  if (core_.loaded() && core_.summed())
    say_result(core_.norms());
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
      auto next_step = core_.on_applied();
      if (may_leave())
        return self_->quit();
      publish();
      answer_snapshots();
      perform(next_step);
    });
  });
}

} // namespace troupe
