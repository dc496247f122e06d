#include "actors/hosted_job.hpp"

#include <cassert>
#include <fmt/format.h>
#include <utility>

namespace troupe {

optimizer_description describe(const learn::optimizer_options& o) {
  return {static_cast<uint8_t>(o.kind), o.nesterov, o.momentum, o.beta1, o.beta2, o.alpha, o.epsilon, o.weight_decay,
          o.statistic_momentum};
}

local_description describe(const learn::local_steps::options& o) {
  return {o.steps,
          describe(o.optimizer),
          o.optimizer.learning_rate,
          static_cast<uint8_t>(o.schedule.kind),
          o.schedule.warmup_steps,
          o.schedule.step_every,
          o.schedule.step_factor,
          o.schedule.total_steps};
}

namespace {

learn::optimizer_options options_of(const optimizer_description& d) {
  auto o = learn::optimizer_options{};
  o.kind = static_cast<learn::optimizer_kind>(d.kind);
  o.nesterov = d.nesterov;
  o.momentum = d.momentum;
  o.beta1 = d.beta1;
  o.beta2 = d.beta2;
  o.alpha = d.alpha;
  o.epsilon = d.epsilon;
  o.weight_decay = d.weight_decay;
  o.statistic_momentum = d.statistic_momentum;
  return o;
}

} // namespace

learn::local_steps::options hosted_job::local_steps() const {
  auto& d = description.local;
  auto result = learn::local_steps::options{
    d.steps,
    options_of(d.optimizer),
    {static_cast<learn::schedule_kind>(d.schedule), d.warmup_steps, d.step_every, d.step_factor, d.total_steps}};
  result.optimizer.learning_rate = d.learning_rate;
  return result;
}

std::optional<gossip_rounds> hosted_job::gossip() const {
  auto& d = description;
  return d.gossip ? std::optional{gossip_rounds{learn::steps_per_epoch(sizes()), d.meet_every, d.last_step}}
                  : std::nullopt;
}

learn::optimizer_options hosted_job::optimizer() const {
  return options_of(description.optimizer);
}

held_description describe_held(const learn::data_source& data) {
  auto form = data.train->form();
  assert(!data.test || data.test->form() == form);
  auto d = held_description{};
  d.apart = true;
  d.name = data.name;
  d.test_samples = data.test ? data.test->size() : 0;
  for (auto& line : form.lines) {
    d.scales.push_back(line.scale);
    d.shifts.push_back(line.shift);
  }
  return d;
}

namespace {

std::unique_ptr<held_data> nothing_held(const job_description& what, const learn::data_source& data) {
  if (!what.held.apart || data.train)
    return nullptr;
  auto set = learn::set_description{
    what.samples,
    {static_cast<int>(what.channels), static_cast<int>(what.height), static_cast<int>(what.width)},
    static_cast<int>(what.classes),
    {}};
  for (size_t i = 0; i < what.held.scales.size(); ++i)
    set.form.lines.push_back({what.held.scales[i], what.held.shifts[i]});
  auto test = set;
  test.size = what.held.test_samples;
  return std::unique_ptr<held_data>(
    new held_data{learn::held_samples{std::move(set)}, learn::held_samples{std::move(test)}});
}

// Of data that is not opened here, so that nothing else says what it is.
expected<learn::data_source> data_to_hold(const job_description& what) {
  auto& held = what.held;
  if (held.scales.size() != held.shifts.size() || (!held.scales.empty() && held.scales.size() != what.channels) ||
      what.samples == 0 || what.samples > UINT32_MAX || held.test_samples > UINT32_MAX)
    return fail(fmt::format("the samples of {} are described wrongly: {} of {} channels have a scale, and there are {}",
                            held.name, held.scales.size(), what.channels, what.samples));
  return learn::data_source{held.name, nullptr, nullptr};
}

} // namespace

hosted_job::hosted_job(job_description what, std::shared_ptr<const learn::model> m, learn::data_source d,
                       std::shared_ptr<directory> r)
  : description(std::move(what)), model(std::move(m)), data(std::move(d)), held(nothing_held(description, data)),
    augmentation(description.augment ? learn::default_augmentation(data.name) : learn::augmentation{}),
    shards(model->layout(), description.shards),
    order(static_cast<learn::order_kind>(description.order), description.seed, sizes(), exchange()),
    roles(std::move(r)) {
  // nop
}

expected<std::shared_ptr<hosted_job>> hosted_job::open(const job_description& what, std::shared_ptr<directory> roles) {
  if (what.data_shards == 0)
    return fail("a data set of no shards");
  auto data = what.held.apart ? data_to_hold(what) : learn::open_data(what.data, what.seed);
  if (!data)
    return tl::unexpected(data.error());
  if (data->train && data->train->size() != what.samples)
    return fail(
      fmt::format("{} has {} training samples on this host and {} where the job was started: use the same data "
                  "everywhere",
                  what.data, data->train->size(), what.samples));
  auto shape =
    learn::sample_shape{static_cast<int>(what.channels), static_cast<int>(what.height), static_cast<int>(what.width)};
  auto model = learn::make_model(
    {what.model, shape, static_cast<int>(what.classes), static_cast<learn::precision>(what.arithmetic)});
  if (!model)
    return tl::unexpected(model.error());
  if (what.shards == 0 || what.shards > (*model)->layout().blocks().size())
    return fail(fmt::format("{} shards for {} blocks of parameters", what.shards, (*model)->layout().blocks().size()));
  return std::make_shared<hosted_job>(what, std::move(*model), std::move(*data), std::move(roles));
}

} // namespace troupe
