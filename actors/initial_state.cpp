#include "actors/initial_state.hpp"

#include <fmt/format.h>

#include "actors/fault_file_system.hpp"
#include "learn/checkpoint/checkpoint.hpp"
#include "learn/safetensors.hpp"

namespace troupe {
namespace {

learn::checkpoint_meta meta_of(const job_options& o, const hosted_job& job, step version) {
  auto m = learn::checkpoint_meta{};
  auto& opt = o.optimizer;
  m.job = {
    {"model", o.model},
    {"batch", std::to_string(o.batch)},
    {"micro-batch", std::to_string(o.micro_batch)},
    {"seed", std::to_string(o.seed)},
    {"optimizer", learn::to_string(opt.kind)},
    {"precision", o.precision == learn::precision::bf16 ? "bf16" : "f32"},
    {"order", o.order == learn::order_kind::sequential ? "sequential" : "shuffled"},
    {"samples", std::to_string(job.description.samples)},
  };
  if (o.local_steps > 1)
    m.job["local-steps"] = std::to_string(o.local_steps);
  if (job.exchange().has_shards()) {
    m.job["exchange"] = learn::to_string(o.exchange);
    m.job["data shards"] = std::to_string(job.exchange().shards);
  }
  auto per_epoch = learn::steps_per_epoch(job.sizes());
  m.step = version.value;
  m.epoch = version.value / per_epoch;
  m.cursor = version.value % per_epoch * job.sizes().batch;
  return m;
}

expected<std::shared_ptr<const model_state>> from_checkpoint(const job_options& o, const hosted_job& job,
                                                             const job_observer& observer) {
  auto read = learn::read_latest_checkpoint(o.checkpoint, job.model->layout());
  if (!read)
    return tl::unexpected(read.error());
  auto version = step{read->meta.step};
  if (auto same = learn::check_same_job(read->meta, meta_of(o, job, version)); !same)
    return tl::unexpected(same.error());
  if (observer.on_note) {
    if (!read->note.empty())
      observer.on_note(read->note);
    observer.on_note(fmt::format("resumed at step {} from {}", version.value, read->folder.string()));
  }
  return std::make_shared<const model_state>(model_state{version, std::move(read->parameters), std::move(read->state)});
}

} // namespace

expected<std::shared_ptr<const model_state>> initial_state(const job_options& o, const hosted_job& job,
                                                           const job_observer& observer) {
  auto& layout = job.model->layout();
  if (o.resume && learn::has_checkpoint(o.checkpoint))
    return from_checkpoint(o, job, observer);
  if (!o.resume && !o.checkpoint.empty() && learn::has_checkpoint(o.checkpoint))
    return fail(fmt::format("{} holds checkpoints of an earlier run: continue it with --resume or name another folder",
                            o.checkpoint));
  if (!o.init.empty()) {
    auto read = learn::read_safetensors(o.init, layout);
    if (!read)
      return tl::unexpected(read.error());
    return std::make_shared<const model_state>(model_state{{0}, std::move(*read), {}});
  }
  auto drawn = learn::flat{layout.size()};
  job.model->initialise(o.seed, drawn.values());
  return std::make_shared<const model_state>(model_state{{0}, std::move(drawn), {}});
}

std::function<expected<std::shared_ptr<const model_state>>()>
last_good_state(const job_options& o, std::shared_ptr<const hosted_job> job,
                std::shared_ptr<const model_state> initial) {
  return [o, job = std::move(job), initial = std::move(initial)]() -> expected<std::shared_ptr<const model_state>> {
    if (o.checkpoint.empty() || !learn::has_checkpoint(o.checkpoint))
      return initial;
    auto saved = from_checkpoint(o, *job, {});
    return saved && (*saved)->version < initial->version ? initial : saved; // of a part of the run before
  };
}

std::function<expected<void>(const model_state&, fencing_token)>
checkpoint_writer(const job_options& o, std::shared_ptr<const hosted_job> job) {
  return [o, job = std::move(job)](const model_state& now, fencing_token token) -> expected<void> {
    auto& layout = job->model->layout();
    auto states = std::vector<std::span<const float>>{};
    for (auto& s : now.state)
      states.push_back(s.values());
    auto shards =
      learn::cut_into_shards(layout, now.parameters.values(), states, now.version.value, static_cast<size_t>(o.shards));
    auto files = fault_file_system{now.version};
    auto written = learn::write_checkpoint(o.checkpoint, meta_of(o, *job, now.version), layout, shards,
                                           {.token = token.value}, files);
    if (!written)
      return tl::unexpected(failure{fmt::format("the checkpoint of step {} was not written: {}; training goes on",
                                                now.version.value, written.error().sentence)});
    return {};
  };
}

} // namespace troupe
