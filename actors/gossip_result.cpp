#include "actors/gossip_result.hpp"

#include <utility>

#include "gpu/kernels/reduce.hpp"

namespace troupe {
namespace {

namespace kernels = gpu::kernels;

void enqueue_copy(gpu::stream& s, const payload& from, payload to) {
  s.enqueue([from, to = std::move(to)]() mutable {
    kernels::copy(from.elements(), from.as_floats().data(), to.mutable_floats().data());
  });
}

void enqueue_mean(gpu::stream& s, std::vector<payload> from, payload to) {
  s.enqueue([from = std::move(from), to = std::move(to)]() mutable {
    auto all = std::vector<const float*>{};
    for (auto& p : from)
      all.push_back(p.as_floats().data());
    kernels::mean(to.elements(), all, to.mutable_floats().data());
  });
}

} // namespace

gossip_result::gossip_result(std::vector<peer_bucket> buckets, const placement& places, const learn::layout& layout)
  : buckets_(std::move(buckets)), blocks_(layout.blocks().begin(), layout.blocks().end()) {
  for (size_t b = 0; b < blocks_.size(); ++b)
    offsets_.push_back(places.offset(b));
}

void gossip_result::begin(basis what) {
  from_ = std::move(what);
  own_.clear();
  norms_ = std::make_shared<std::vector<block_norm>>();
  values_ = payload::floats(from_.values.elements());
  state_.clear();
  for (auto& each : from_.state)
    state_.push_back(payload::floats(each.elements()));
}

void gossip_result::adapt(gpu::stream& s, uint32_t bucket, const payload& gradient) {
  const auto first = offset(bucket);
  const auto size = buckets_[bucket].size;
  auto& own = own_[bucket];
  own.values = from_.alone ? values_.part(first, size) : payload::floats_to_lend(size);
  for (size_t i = 0; i < state_.size(); ++i) {
    own.state.push_back(from_.with_state && !from_.alone ? payload::floats_to_lend(size) : state_[i].part(first, size));
    enqueue_copy(s, from_.state[i].part(first, size), own.state.back());
  }
  for (auto id : buckets_[bucket].blocks) {
    auto& b = blocks_[id.value];
    const auto begin = offsets_[id.value] - first;
    auto own_gradient = gradient.part(begin, b.size);
    s.enqueue([norms = norms_, id, own_gradient] {
      const auto n = kernels::norm_and_finite(own_gradient.elements(), own_gradient.as_floats().data());
      norms->push_back({id, n.sum_of_squares, n.finite});
    });
    const auto now = from_.values.part(offsets_[id.value], b.size);
    auto next = own.values.part(begin, b.size);
    const auto is_statistic = b.kind == learn::slice_kind::statistic;
    if (is_statistic && from_.own_share == 0) {
      enqueue_copy(s, now, next);
      continue;
    }
    if (is_statistic) {
      auto scaled = payload::floats(b.size);
      enqueue_copy(s, own_gradient, scaled);
      s.enqueue([scaled, factor = from_.own_share]() mutable {
        kernels::scale(scaled.elements(), factor, scaled.mutable_floats().data());
      });
      own_gradient = scaled;
    }
    auto states = std::vector<float*>{};
    for (auto& each : own.state)
      states.push_back(each.part(begin, b.size).mutable_floats().data());
    learn::update(s, from_.optimizer, from_.at, b, own_gradient.as_floats().data(), now.as_floats().data(),
                  next.mutable_floats().data(), states);
    s.enqueue([own_gradient, now, next, keep = own.state] {}); // which the update reads and writes until it is done
  }
}

void gossip_result::fill(gossip_parameters& p) const {
  auto& own = own_.at(p.bucket);
  p.values = own.values;
  if (from_.with_state)
    p.state = own.state;
}

void gossip_result::mix(gpu::stream& s, uint32_t bucket, uint32_t place,
                        const std::map<uint32_t, gossip_parameters>& with) {
  const auto first = offset(bucket);
  const auto size = buckets_[bucket].size;
  auto& own = own_.at(bucket);
  auto in_order = std::map<uint32_t, part>{{place, own}};
  for (auto& [at, p] : with)
    in_order.emplace(at, part{p.values, p.state});
  auto all = [&](auto of) {
    auto result = std::vector<payload>{};
    for (auto& [at, p] : in_order)
      result.push_back(of(p));
    return result;
  };
  enqueue_mean(s, all([](auto& p) { return p.values; }), values_.part(first, size));
  for (size_t i = 0; i < state_.size() && from_.with_state; ++i)
    enqueue_mean(s, all([i](auto& p) { return p.state[i]; }), state_[i].part(first, size));
}

} // namespace troupe
