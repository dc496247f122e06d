// How a topology is run, and what the run yielded.

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "actors/data_parallel.hpp"
#include "actors/job_order.hpp"
#include "learn/digest.hpp"
#include "learn/safetensors.hpp"

namespace troupe {

void data_parallel::lead_by(std::shared_ptr<lead> claim, standby_feed* feed) {
  claim_ = std::move(claim);
  feed_ = feed;
}

follow_job data_parallel::order() const {
  return order_of(options_, job_->description);
}

void data_parallel::request_stop() const {
  ask_to_stop(*record_, *job_);
}

namespace {

bool has(const supervision_tree& tree, const std::string& id) {
  return std::any_of(tree.nodes().begin(), tree.nodes().end(),
                     [&](auto& node) { return node.tree ? has(*node.tree, id) : node.spec.id == id; });
}

} // namespace

// A run would wait for what is not there for ever.
expected<void> data_parallel::check_parts_of(const supervision_tree& tree) const {
  auto needed =
    std::vector<std::pair<const char*, const startable*>>{{"leader", &leader}, {"locks", &locks}, {"broker", &broker}};
  auto need = [&](const char* name, const std::vector<startable>& parts) {
    for (auto& part : parts)
      needed.emplace_back(name, &part);
  };
  need("shards", shards);
  need("aggregators", aggregators);
  need("peers", peers);
  need("samples", samples);
  for (auto& [name, part] : needed)
    if (!has(tree, part->id))
      return fail(
        fmt::format("the tree lacks {}, without which this run would not get on: put the parts' `{}` into it, "
                    "where `data_parallel::tree` has them",
                    part->id, name));
  return {};
}

expected<job_report> data_parallel::run(const supervision_tree& tree, const std::stop_token& stop,
                                        std::function<void(const supervision_report&)> on_report) {
  if (auto complete = check_parts_of(tree); !complete)
    return tl::unexpected(complete.error());
  auto end = runtime_.run(
    tree, stop, [this] { request_stop(); }, std::move(on_report));
  if (!end)
    return tl::unexpected(end.error());
  if (leaves_off() && stop.stop_requested())
    (*outcome_)->value().cause = coordinator_core::stop_cause::interrupted;
  return report(*end);
}

expected<job_report> data_parallel::report(const tree_end& end) {
  if (!outcome_->has_value())
    return fail(fmt::format("the run ended before it was done: {}", to_string(end)));
  auto& outcome = **outcome_;
  if (!outcome)
    return tl::unexpected(outcome.error());
  auto& layout = job_->model->layout();
  auto r = job_report{};
  switch (outcome->cause) {
  case coordinator_core::stop_cause::epochs_done:
    r.reason = stop_reason::epochs_done;
    break;
  case coordinator_core::stop_cause::steps_done:
    r.reason = stop_reason::steps_done;
    break;
  case coordinator_core::stop_cause::target_reached:
    r.reason = stop_reason::target_reached;
    break;
  case coordinator_core::stop_cause::part_done:
    break;
  case coordinator_core::stop_cause::interrupted:
    r.reason = stop_reason::interrupted;
    break;
  }
  r.steps = outcome->final.version.value;
  r.samples = outcome->samples;
  r.seconds = outcome->seconds;
  r.training_seconds = outcome->training_seconds;
  r.samples_per_second =
    outcome->training_seconds > 0 ? static_cast<double>(outcome->steady_samples) / outcome->training_seconds : 0;
  r.seconds_to_first_step = outcome->seconds_to_first_step;
  r.train_loss = outcome->train_loss;
  r.test_accuracy = outcome->test_accuracy;
  r.weights_sha256 = learn::weights_sha256(layout, outcome->final.parameters.values());
  r.restarts = end.restarts;
  r.skipped_steps = outcome->skipped_steps;
  r.staleness = outcome->staleness;
  r.sent_bytes = job_->sent_bytes;
  r.received_bytes = job_->received_bytes;
  r.lent_bytes = job_->lent_bytes + shared_memory::of_this_process().lent_bytes() - lent_before_;
  r.not_lent = job_->not_lent + shared_memory::of_this_process().not_lent() - not_lent_before_;
  r.samples_from_source = job_->from_source;
  r.samples_from_keepers = job_->from_keepers;
  r.most_samples_held = job_->most_held;
  r.dropped_messages = job_->dropped + outcome->agent_drops;
  r.parameters = layout.parameters();
  r.tree = print_tree(tree());
  if (!options_.export_to.empty() && !leaves_off())
    if (auto written =
          learn::write_safetensors(options_.export_to, layout, outcome->final.parameters.values(), r.steps);
        !written)
      return tl::unexpected(written.error());
  return r;
}

std::function<void(const supervision_report&)> reports_to(const job_observer& observer) {
  return [note = observer.on_note, event = observer.on_event](const supervision_report& r) {
    if (note)
      note(to_string(r));
    if (event)
      event({run_event::kind::ended, r.child, r.number.value,
             fmt::format("{}; {} {}", to_string(r.cause), r.supervisor, to_string(r.what))});
  };
}

bool data_parallel::leaves_off() const {
  if (!outcome_->has_value())
    return until_ != 0 && initial_->version.value >= until_;
  auto& outcome = **outcome_;
  return outcome && outcome->cause == coordinator_core::stop_cause::part_done;
}

handover data_parallel::hand_over() const {
  auto state = outcome_->has_value() ? std::make_shared<const model_state>((*outcome_)->value().final) : initial_;
  return {std::move(state), job_->model, job_->data};
}

} // namespace troupe
