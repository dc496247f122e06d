// The samples of an agent: where they come from, and what waits for them.

#include <algorithm>
#include <numeric>
#include <utility>

#include "actors/agent.hpp"
#include "learn/checkpoint/frame.hpp"

namespace troupe {
namespace {

std::vector<uint32_t> test_ids(uint64_t first, uint64_t last) {
  auto ids = std::vector<uint32_t>(last - first);
  std::iota(ids.begin(), ids.end(), static_cast<uint32_t>(first));
  return ids;
}

// For as long as the answer lives.
learn::held_samples::pinned pin(const hosted_job& job, bool of_test, std::span<const uint32_t> ids) {
  if (job.held)
    return (of_test ? job.held->test : job.held->train).pin(ids);
  return {of_test ? job.data.test : job.data.train, {}};
}

} // namespace

std::vector<uint32_t> agent::ids_of(const learn::position_range& where) {
  if (!orders_.contains(where.epoch)) {
    orders_.erase(orders_.begin(), orders_.lower_bound(where.epoch == 0 ? 0 : where.epoch - 1));
    orders_[where.epoch] = config_.job->order.of_epoch(where.epoch);
  }
  auto& order = orders_[where.epoch];
  return {order.begin() + static_cast<ptrdiff_t>(where.first), order.begin() + static_cast<ptrdiff_t>(where.last)};
}

// Nothing: they are not there yet, and were asked for.
std::optional<agent::input> agent::samples_of(step at, uint64_t index) {
  if (auto i = inputs_.find({at, index}); i != inputs_.end())
    return i->second;
  auto where = learn::positions(config_.job->sizes(), at.value, index);
  auto ids = ids_of(where);
  auto pinned = pin(*config_.job, false, ids);
  if (!pinned.samples) {
    if (asked_.insert({at, index}).second)
      need({config_.role, at, {}, where.epoch, false, std::move(pinned.missing)});
    return std::nullopt;
  }
  return inputs_.emplace(std::pair{at, index}, gather_training(std::move(pinned.samples), std::move(ids), where.epoch))
    .first->second;
}

agent::input agent::gather_training(std::shared_ptr<const learn::dataset> from, std::vector<uint32_t> ids,
                                    uint64_t epoch) {
  auto n = ids.size();
  auto result = input{payload::floats(n * config_.job->sample_shape().size()), payload::make(dtype::i32, {n}),
                      static_cast<int>(n), std::make_shared<uint32_t>(0)};
  stream_.enqueue([result, ids = std::move(ids), from = std::move(from), shared = config_.job, epoch]() mutable {
    auto* images = result.images.mutable_floats().data();
    auto* labels = reinterpret_cast<int32_t*>(result.labels.mutable_data());
    auto how = shared->augmentation;
    *result.ids = learn::crc32c(std::as_bytes(std::span{ids}));
    if (how.padding == 0 && !how.flip)
      learn::gather(*from, ids, images, labels);
    else
      learn::gather_augmented(*from, ids, how, shared->description.seed, epoch, images, labels);
  });
  return result;
}

learn::micro_batch_data agent::view_of(const input& x) const {
  return {x.images.as_floats().data(), reinterpret_cast<const int32_t*>(x.labels.data()), x.n};
}

void agent::perform(const agent_core::fetch& a) {
  if (!queue_.is_empty()) // what is started goes first
    return to_fetch_.push_back(a.what);
  ask_for_samples(a.what);
  auto complete = true;
  for (auto m = a.what.first; m < a.what.last; ++m)
    complete = samples_of(a.what.at, m).has_value() && complete;
  if (!complete)
    late_.push_back(a.what);
}

// -- what is not here -------------------------------------------------------------------------------------------------

// All of a lease at once, and that the epoch is another one. An earlier one, of work that is done once more, is not
// said: the keeper would let go of what is needed next.
void agent::ask_for_samples(const lease& what) {
  if (!config_.job->held || what.first == what.last)
    return;
  auto epoch = learn::positions(config_.job->sizes(), what.at.value, what.first).epoch;
  auto ids = std::vector<uint32_t>{};
  for (auto m = what.first; m < what.last; ++m) {
    if (inputs_.contains({what.at, m}))
      continue;
    auto pinned = pin(*config_.job, false, ids_of(learn::positions(config_.job->sizes(), what.at.value, m)));
    if (!pinned.missing.empty() && asked_.insert({what.at, m}).second)
      ids.insert(ids.end(), pinned.missing.begin(), pinned.missing.end());
  }
  if (!ids.empty() || !epoch_ || epoch > *epoch_)
    need({config_.role, what.at, {}, epoch, false, std::move(ids)});
}

// Who leases steps does not know where the run ends: what is leased beyond that is never computed.
void agent::need(need_samples what) {
  if (what.epoch > config_.job->description.held.last_epoch)
    return;
  epoch_ = std::max(epoch_.value_or(what.epoch), what.epoch);
  what.epoch = *epoch_;
  what.applied = core_.version().value_or(step{});
  if (auto keeper = config_.job->roles->find_as<sample_keeper_actor>({keeper_kind, config_.role.index}))
    troupe::anon_send(keeper, std::move(what));
}

void agent::go_on_with_samples() {
  feed();
  for (auto& what : std::exchange(late_, {}))
    perform(agent_core::fetch{what});
  for (auto& what : std::exchange(tests_, {}))
    perform(agent_core::measure{what});
}

// The keeper may have been started again, or not have been there yet.
void agent::ask_again_for_samples() {
  if (!config_.job->held || (asked_.empty() && tests_.empty()))
    return;
  asked_.clear();
  go_on_with_samples();
}

// -- evaluation -------------------------------------------------------------------------------------------------------

// The parameters stay what they are meanwhile: no step commits before the round of evaluations is over.
void agent::perform(const agent_core::measure& a) {
  auto& job = *config_.job;
  auto all = pin(job, true, test_ids(a.what.first, a.what.last));
  if (!all.samples) {
    tests_.push_back(a.what);
    auto epoch = std::min(a.what.version.value / learn::steps_per_epoch(job.sizes()), job.description.held.last_epoch);
    return need({config_.role, a.what.version, {}, epoch, true, std::move(all.missing)});
  }
  auto grain = job.description.micro_batch;
  auto results = std::make_shared<std::vector<learn::batch_result>>((a.what.last - a.what.first + grain - 1) / grain);
  auto slot = results->data();
  for (auto first = a.what.first; first < a.what.last; first += grain) {
    auto ids = test_ids(first, std::min(first + grain, a.what.last));
    auto n = ids.size();
    auto in =
      input{payload::floats(n * job.sample_shape().size()), payload::make(dtype::i32, {n}), static_cast<int>(n)};
    stream_.enqueue([in, ids = std::move(ids), from = all.samples]() mutable {
      learn::gather(*from, ids, in.images.mutable_floats().data(),
                    reinterpret_cast<int32_t*>(in.labels.mutable_data()));
    });
    replica_->evaluate(stream_, view_of(in), slot++);
    stream_.enqueue([in] {}); // keeps the samples until the replica is done with them
  }
  ++under_way_;
  began_.reset(); // what it takes is no measure of training
  stream_.on_complete([now = now_, this, results, what = a.what, from = core_.from(), roles = job.roles] {
    auto answer = evaluation{from, what.version, what.first, what.last, 0, 0};
    for (auto& r : *results) {
      answer.loss_sum += r.loss_sum;
      answer.correct += r.correct;
    }
    if (auto coordinator = roles->find_as<coordinator_actor>({"coordinator", 0}))
      troupe::anon_send(coordinator, answer);
    now.post([this, what] {
      --under_way_;
      core_.on_measured(what.version, what.first);
    });
  });
}

} // namespace troupe
