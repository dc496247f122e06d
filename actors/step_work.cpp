#include "actors/step_work.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "actors/fault_places.hpp"
#include "gpu/kernels/reduce.hpp"
#include "messages/caf.hpp"

namespace troupe {

step_work::step_work(std::shared_ptr<hosted_job> job, origin from, const lease& l, how done)
  : job_(std::move(job)), from_(std::move(from)), lease_(l), how_(std::move(done)),
    cover_(sum_tree{l.micro_batches}.cover(l.first, l.last, job_->combine().bucket_size())),
    blocks_(job_->model->layout().blocks().size(),
            part{partial_sums{l.micro_batches, job_->combine().bucket_size()}, {}}),
    results_(l.last - l.first), ids_(l.last - l.first) {
  // nop
}

void step_work::finished(uint64_t index, size_t b, payload gradient) {
  auto& [sums, values] = blocks_[b];
  auto node = sums.tree().leaf(index);
  auto change = sums.insert(node);
  values[node] = std::move(gradient);
  for (auto& m : change.merges) {
    // Nothing of it has left this agent yet, so the sum takes the left part's place.
    auto left = std::move(values[m.left]);
    auto right = std::move(values[m.right]);
    gpu::kernels::sum(left.elements(), left.as_floats().data(), right.as_floats().data(), left.mutable_floats().data());
    values.erase(m.left);
    values.erase(m.right);
    values[m.into] = std::move(left);
    node = m.into;
  }
  if (std::find(cover_.begin(), cover_.end(), node) == cover_.end())
    return;
  push({from_, lease_.at, how_.base, {b}, node, lease_.micro_batches, std::move(values[node]), how_.again});
  values.erase(node);
  sums.remove(node);
}

// What was to be a part of a larger sum is final as it is.
void step_work::end_at(uint64_t end) {
  lease_.last = end;
  for (size_t b = 0; b < blocks_.size(); ++b)
    for (auto& [node, value] : std::exchange(blocks_[b].values, {}))
      push({from_, lease_.at, how_.base, {b}, node, lease_.micro_batches, std::move(value), how_.again});
}

void step_work::push(push_gradients p) {
  const auto fault = TROUPE_FAULT(places::agent_before_push, from_.role, from_.incarnation, lease_.at.value);
  if (fault.is(fault_kind::nan))
    p.gradient.mutable_floats()[0] = std::numeric_limits<float>::quiet_NaN();
  if (fault.is(fault_kind::poison))
    gpu::kernels::scale(p.gradient.elements(), -1000, p.gradient.mutable_floats().data());
  if (how_.feedback)
    p.gradient = how_.feedback->compress(p.block.value, p.gradient);
  auto to = job_->taker(job_->shards.shard_of(p.block.value), from_.role);
  if (auto holder = job_->roles->locate<shard_holder_actor>(to); holder.handle && !fault.is(fault_kind::drop)) {
    send(holder, p);
    if (fault.is(fault_kind::duplicate))
      send(holder, p);
  }
  pushed_.push_back(std::move(p));
}

void step_work::send(const directory::located<shard_holder_actor>& holder, push_gradients p) const {
  if (!job_->has_peers() && !job_->beside(job_->shards.shard_of(p.block.value), from_.role))
    job_->sent_bytes += p.gradient.bytes();
  p.gradient = p.gradient.for_reader(holder.process);
  troupe::anon_send(holder.handle, std::move(p));
}

void step_work::push_again() const {
  for (size_t b = 0; b < blocks_.size(); ++b)
    push_again(block_id{b});
}

void step_work::push_again(block_id which) const {
  auto to = job_->taker(job_->shards.shard_of(which.value), from_.role);
  auto holder = job_->roles->locate<shard_holder_actor>(to);
  for (auto& p : pushed_)
    if (holder.handle && p.block == which)
      send(holder, p);
}

bool step_work::is_doubtful(block_id which) const {
  return !how_.again && std::any_of(pushed_.begin(), pushed_.end(), [&](auto& p) {
    if (p.block != which || p.gradient.type() != dtype::f32) // only what is finite is compressed
      return false;
    auto values = p.gradient.as_floats();
    return !gpu::kernels::norm_and_finite(values.size(), values.data()).finite;
  });
}

void step_work::report(uint64_t dropped) const {
  if (lease_.first == lease_.last) // all of it was given up
    return;
  auto done = micro_batches_done{from_, lease_.at, how_.base, lease_.micro_batches, {}, dropped, lease_.number};
  for (size_t i = 0; i < lease_.last - lease_.first; ++i) {
    auto& r = results_[i];
    done.results.push_back({lease_.first + i, r.loss_sum, r.correct, r.samples, ids_[i] ? *ids_[i] : 0});
  }
  if (auto coordinator = job_->roles->find_as<coordinator_actor>({"coordinator", 0}))
    troupe::anon_send(coordinator, std::move(done));
}

} // namespace troupe
