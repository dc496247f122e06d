#include "apps/troupe/report.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <span>
#include <sys/resource.h>
#include <unistd.h>

#include "actors/mode_change.hpp"
#include "actors/version.hpp"
#include "apps/troupe/names.hpp"
#include "learn/file_system.hpp"

namespace troupe::command {

namespace {

using json = nlohmann::ordered_json;

std::string folder_of(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

std::string schedule_spelling(const learn::schedule_options& schedule) {
  using enum learn::schedule_kind;
  auto warmup = schedule.warmup_steps > 0 ? fmt::format("warmup:{},", schedule.warmup_steps) : std::string{};
  switch (schedule.kind) {
  case constant:
    return warmup + "constant";
  case cosine:
    return warmup + "cosine";
  case step:
    return fmt::format("{}step:{}:{}", warmup, schedule.step_every, schedule.step_factor);
  }
  return warmup;
}

/// The decimal number that the option was, not the binary one next to it: 0.05, not 0.05000000074505806.
double as_written(float value) {
  return std::stod(fmt::format("{}", value));
}

/// A number, or a range such as "2..8".
json agents_spelling(const job_options& job) {
  if (job.least_agents == 0 || job.least_agents == job.agents)
    return job.agents;
  return fmt::format("{}..{}", job.least_agents, job.agents);
}

/// Without what was left open: a job file has no key for "none".
json options_of(const job_options& job) {
  json out = {{"model", job.model},
              {"data", job.data},
              {"order", name_of(order_names, job.order)},
              {"exchange", name_of(exchange_names, job.exchange)},
              {"no-augment", !job.augment},
              {"seed", job.seed},
              {"batch", job.batch},
              {"epochs", job.epochs},
              {"optimizer", to_string(job.optimizer.kind)},
              {"lr", as_written(job.optimizer.learning_rate)},
              {"momentum", as_written(job.optimizer.momentum)},
              {"nesterov", job.optimizer.nesterov},
              {"weight-decay", as_written(job.optimizer.weight_decay)},
              {"clip-norm", as_written(job.optimizer.clip_norm)},
              {"on-nan", name_of(nonfinite_names, job.on_nonfinite)},
              {"schedule", schedule_spelling(job.schedule)},
              {"precision", name_of(precision_names, job.precision)},
              {"agents", agents_spelling(job)},
              {"reproducible", job.reproducible},
              {"sync", job.sync},
              {"local-steps", job.local_steps},
              {"outer-lr", as_written(job.outer_rate)},
              {"outer-momentum", as_written(job.outer_momentum)},
              {"combine", to_string(job.combine)},
              {"compress", to_string(job.compression)},
              {"staleness", job.asynchronous ? json("async") : json(job.staleness)},
              {"device", job.device},
              {"isolation", name_of(isolation_names, job.isolation)},
              {"handler-limit", job.handler_limit.count() / 1000},
              {"target-accuracy", job.target_accuracy},
              {"log-every", job.log_every},
              {"no-evaluate", !job.evaluate},
              {"resume", job.resume}};
  const auto number = [&](const char* key, uint64_t value) {
    if (value > 0)
      out[key] = value;
  };
  number("micro-batch", job.micro_batch);
  number("steps", job.steps);
  number("fan-in", static_cast<uint64_t>(job.fan_in));
  number("shards", static_cast<uint64_t>(job.shards));
  number("threads", static_cast<uint64_t>(job.threads));
  number("checkpoint-every", job.checkpoint_every);
  if (!job.hostfile.empty())
    out["hostfile"] = job.hostfile;
  else if (!job.nodes.empty())
    out["nodes"] = job.nodes;
  if (!job.nodes.empty())
    out["wait-for-nodes"] = job.wait_for_nodes.count() / 1000;
  if (job.place != place_rule::spread)
    out["place"] = to_string(job.place);
  for (const auto& change : job.changes)
    out["switch"].push_back(to_string(change));
  for (const auto& [key, text] : {std::pair{"init", &job.init},
                                  {"export", &job.export_to},
                                  {"checkpoint", &job.checkpoint},
                                  {"ledger", &job.ledger},
                                  {"shard-dir", &job.shard_dir}})
    if (!text->empty())
      out[key] = *text;
  return out;
}

/// By how many updates old the parameters were: for how many micro-batches.
json histogram_of(const std::map<uint64_t, uint64_t>& counts) {
  auto out = json::object();
  for (const auto& [updates, micro_batches] : counts)
    out[std::to_string(updates)] = micro_batches;
  return out;
}

uint64_t peak_of(int who) {
  rusage usage{};
  getrusage(who, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

failure cannot_write(const std::string& path, int error) {
  return {fmt::format("cannot write {}: {}", path, std::strerror(error))};
}

} // namespace

peak_memory measure_peak_memory() {
  return {.process = peak_of(RUSAGE_SELF), .children = peak_of(RUSAGE_CHILDREN)};
}

nlohmann::ordered_json report_of(const job_options& job, const job_report& report, peak_memory memory) {
  return {{"troupe", troupe_version},
          {"options", options_of(job)},
          {"stopped", name_of(stop_reason_names, report.reason)},
          {"steps", report.steps},
          {"samples", report.samples},
          {"seconds", report.seconds},
          {"training_seconds", report.training_seconds},
          {"samples_per_second", report.samples_per_second},
          {"seconds_to_first_step", report.seconds_to_first_step},
          {"parameters", report.parameters},
          {"train_loss", report.train_loss},
          {"test_accuracy", report.test_accuracy},
          {"weights_sha256", report.weights_sha256},
          {"restarts", report.restarts},
          {"skipped_steps", report.skipped_steps},
          {"staleness", histogram_of(report.staleness)},
          {"switches", report.changes},
          {"sent_bytes", report.sent_bytes},
          {"received_bytes", report.received_bytes},
          {"shared_memory", {{"lent_bytes", report.lent_bytes}, {"tensors_not_lent", report.not_lent}}},
          {"data",
           {{"from_source_bytes", report.samples_from_source},
            {"from_peers_bytes", report.samples_from_keepers},
            {"most_held_bytes", report.most_samples_held}}},
          {"dropped_messages", report.dropped_messages},
          {"peak_rss", {{"process", memory.process}, {"largest_worker", memory.children}}},
          {"tree", report.tree}};
}

expected<void> can_write(const std::string& path) {
  const auto folder = folder_of(path);
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    return tl::unexpected(cannot_write(path, errno));
  if (std::filesystem::is_directory(path))
    return tl::unexpected(cannot_write(path, EISDIR));
  return {};
}

expected<void> write_report(const std::string& path, const nlohmann::ordered_json& report) {
  const auto text = report.dump(2) + '\n';
  const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
  return learn::replace_file(learn::file_system::real(), path, std::span(&bytes, 1));
}

} // namespace troupe::command
