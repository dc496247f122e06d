#include "apps/troupe/train_options.hpp"

#include <charconv>
#include <fmt/format.h>
#include <limits>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "actors/host_list.hpp"
#include "actors/mode_change.hpp"
#include "apps/troupe/checks.hpp"
#include "apps/troupe/help.hpp"
#include "apps/troupe/job_file.hpp"
#include "apps/troupe/names.hpp"
#include "learn/model.hpp"
#include "learn/optimizer.hpp"
#include "learn/schedule.hpp"

namespace troupe::command {

namespace {

constexpr auto no_limit = std::numeric_limits<double>::infinity();
constexpr uint64_t most_agents = 4096;

std::vector<std::string> known_models() {
  const auto names = learn::model_names();
  return {names.begin(), names.end()};
}

/// The rate an optimiser starts from when none is given.
float usual_learning_rate(learn::optimizer_kind kind) {
  using enum learn::optimizer_kind;
  return kind == sgd || kind == momentum ? learn::optimizer_options{}.learning_rate : 1e-3f;
}

/// 0 for "async", which says that there is no limit.
expected<uint64_t> parse_staleness(const std::string& text) {
  if (text == "async")
    return 0;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    return fail("give a number of updates, or async");
  return value;
}

/// "8", or "2..8": how many are waited for (0: all of them), and how many there are.
std::optional<std::pair<int, int>> read_agents(const std::string& text) {
  const auto dots = text.find("..");
  const auto number = [](std::string_view digits) -> int {
    int value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool whole = error == std::errc{} && end == digits.data() + digits.size();
    return whole && value >= 1 && value <= static_cast<int>(most_agents) ? value : -1;
  };
  const int most = number(std::string_view{text}.substr(dots == text.npos ? 0 : dots + 2));
  const int least = dots == text.npos ? 0 : number(std::string_view{text}.substr(0, dots));
  return most < 0 || least < 0 || least > most ? std::nullopt : std::optional{std::pair{least, most}};
}

} // namespace

train_options::train_options(CLI::App& app)
  : app_(app), optimizer_(to_string(result_.job.optimizer.kind)),
    precision_(name_of(precision_names, result_.job.precision)),
    isolation_(name_of(isolation_names, result_.job.isolation)), order_(name_of(order_names, result_.job.order)),
    exchange_(name_of(exchange_names, result_.job.exchange)),
    on_nan_(name_of(nonfinite_names, result_.job.on_nonfinite)), staleness_("0"),
    combine_(to_string(result_.job.combine)), compression_(to_string(result_.job.compression)),
    place_(to_string(result_.job.place)),
    handler_limit_(static_cast<uint64_t>(result_.job.handler_limit.count()) / 1000),
    wait_for_nodes_(static_cast<uint64_t>(result_.job.wait_for_nodes.count()) / 1000) {
  app_.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app_
    .add_option("job_file,--job", job_file_,
                "job file: TOML whose keys are the options below, without the dashes; the "
                "command line wins where both say something")
    ->option_text("FILE")
    ->group("Job");
  declare_model_and_data();
  declare_training();
  declare_agents();
  declare_checkpoints();
  declare_output();
}

void train_options::declare_model_and_data() {
  auto& job = result_.job;
  app_.option_defaults()->group("Model and data");
  app_.add_option("--model", job.model, CLI::detail::join(known_models(), ", "))
    ->option_text("NAME")
    ->check(one_of(known_models()))
    ->capture_default_str();
  app_
    .add_option("--data", job.data,
                "digits (built in), a folder with MNIST's or CIFAR-10's files, or random:3x224x224:1000 (noise)")
    ->option_text("NAME|DIR")
    ->capture_default_str();
  app_.add_option("--order", order_, "order of the samples: shuffled (anew each epoch) or sequential")
    ->option_text("ORDER")
    ->check(one_of_table(order_names))
    ->capture_default_str();
  app_.add_flag("--no-augment", no_augment_, "without the data set's usual crops and flips");
  app_.add_option("--seed", job.seed, "where all randomness comes from; the same seed gives the same weights")
    ->option_text("N")
    ->check(whole_number(0, UINT64_MAX))
    ->capture_default_str();
  app_.add_option("--init", job.init, "start from the weights in this safetensors file")->option_text("FILE");
  app_.add_option("--export", job.export_to, "write the weights to this safetensors file at the end")
    ->option_text("FILE");
}

void train_options::declare_training() {
  auto& job = result_.job;
  auto& optimizer = job.optimizer;
  app_.option_defaults()->group("Training");
  const auto count = [&](const char* name, auto& value, uint64_t least, const char* text) {
    return app_.add_option(name, value, text)->option_text("N")->check(whole_number(least, UINT64_MAX));
  };
  const auto real = [&](const char* name, float& value, double most, const char* text) {
    return app_.add_option(name, value, text)->option_text("X")->check(real_number(0, most));
  };
  count("--batch", job.batch, 1, "samples per step, over all agents")->capture_default_str();
  count("--micro-batch", job.micro_batch, 1, "samples an agent works on at a time; divides the batch [chosen to fit]");
  count("--epochs", job.epochs, 1, "stop after so many passes over the data")->capture_default_str();
  count("--steps", job.steps, 1, "stop after so many steps, if that is sooner");
  app_
    .add_option("--target-accuracy", job.target_accuracy,
                "stop after an epoch that gets this part of the test set right")
    ->option_text("0..1")
    ->check(real_number(0, 1));
  app_.add_option("--optimizer", optimizer_, "sgd, momentum, adam, adamw or rmsprop")
    ->option_text("NAME")
    ->check(one_of({"sgd", "momentum", "adam", "adamw", "rmsprop"}))
    ->capture_default_str();
  real("--lr", optimizer.learning_rate, no_limit, "learning rate")
    ->default_str(fmt::format("{}; adam, adamw, rmsprop: {}", usual_learning_rate(learn::optimizer_kind::momentum),
                              usual_learning_rate(learn::optimizer_kind::adam)));
  real("--momentum", optimizer.momentum, 1, "of the momentum optimiser; of rmsprop, if given")->capture_default_str();
  app_.add_flag("--nesterov", optimizer.nesterov, "Nesterov's momentum");
  real("--weight-decay", optimizer.weight_decay, no_limit, "weight decay")->default_str("0; adamw: 0.01");
  real("--clip-norm", optimizer.clip_norm, no_limit, "limit the norm of the gradient to this");
  app_
    .add_option(
      "--on-nan", on_nan_,
      "when the gradient of a step is not finite: stop, skip the step, or go back to the last checkpoint (rewind)")
    ->option_text("WHAT")
    ->check(one_of_table(nonfinite_names))
    ->capture_default_str();
  app_
    .add_option("--schedule", schedule_, "constant, cosine or step:EVERY[:FACTOR], each after warmup:STEPS, if wished")
    ->option_text("SHAPE")
    ->check(parsed_by(learn::parse_schedule))
    ->capture_default_str();
  app_.add_option("--precision", precision_, "f32, or bf16 (f32 master weights) where the processor has it")
    ->option_text("TYPE")
    ->check(one_of_table(precision_names))
    ->capture_default_str();
}

void train_options::declare_agents() {
  auto& job = result_.job;
  app_.option_defaults()->group("Agents");
  app_
    .add_option("--agents", agents_,
                "how many train together; 2..8: begin when 2 are there, and the others join as they come")
    ->option_text("N|A..B")
    ->check(CLI::Validator{[](std::string& text) {
                             return read_agents(text) ? std::string{}
                                                      : fmt::format("takes a whole number from 1 to {} or a range such "
                                                                    "as 2..8, not '{}'",
                                                                    most_agents, text);
                           },
                           ""})
    ->capture_default_str();
  app_.add_flag("--reproducible", job.reproducible,
                "the same weights for any number of agents: neither micro-batch nor threads depend on it");
  app_.add_option("--shards", job.shards, "how many hold the parameters [one per agent]")
    ->option_text("N")
    ->check(whole_number(1, most_agents));
  app_
    .add_option("--sync", job.sync,
                "how gradients become an update: ps (parameter shards), sharded (each agent holds its part of the "
                "parameters), tree (parameter shards by way of aggregators), ring (all-reduce among agents) or gossip "
                "(each agent has "
                "a replica of its own and averages it with another one's in each step)")
    ->option_text("MODE")
    ->check(one_of({"ps", "sharded", "tree", "ring", "gossip"}))
    ->capture_default_str();
  app_
    .add_option("--fan-in", job.fan_in,
                "with --sync tree: agents that share an aggregator [about the root of --agents]")
    ->option_text("N")
    ->check(whole_number(2, most_agents));
  app_
    .add_option(
      "--local-steps", job.local_steps,
      "steps that the worker of each micro-batch takes on its own before all are averaged; one for each agent "
      "unless --micro-batch says otherwise")
    ->option_text("N")
    ->check(whole_number(1, UINT32_MAX))
    ->capture_default_str();
  app_.add_option("--outer-lr", job.outer_rate, "with --local-steps: how much of the average change is made")
    ->option_text("X")
    ->check(real_number(0, no_limit))
    ->capture_default_str();
  app_
    .add_option("--outer-momentum", job.outer_momentum, "with --local-steps: Nesterov's momentum of the average change")
    ->option_text("X")
    ->check(real_number(0, 1))
    ->capture_default_str();
  app_
    .add_option("--combine", combine_,
                "how what the micro-batches of a step contribute becomes one: mean, or a rule that stands wrong ones: "
                "median, trimmed:PART or krum:N; with /M it looks at means of M micro-batches")
    ->option_text("RULE")
    ->check(parsed_by(learn::parse_combine))
    ->capture_default_str();
  app_
    .add_option(
      "--compress", compression_,
      "gradients on their way to the shards: none, bf16, f16, int8 or topk:PART, the largest; what is left out "
      "is made up for later")
    ->option_text("HOW")
    ->check(parsed_by(learn::parse_compression))
    ->capture_default_str();
  app_
    .add_option("--staleness", staleness_,
                "how many updates old the parameters may be that a gradient is computed with; 0: agents keep in step; "
                "async: no limit, each agent's batch is an update of its own")
    ->option_text("N|async")
    ->check(parsed_by(parse_staleness))
    ->capture_default_str();
  app_
    .add_option("--switch", changes_,
                "from a step on, synchronise otherwise: STEP:OPTION=VALUE, as in 200:sync=ring, with sync, staleness, "
                "fan-in, shards, combine or compress; may be repeated")
    ->option_text("CHANGE")
    ->delimiter(',')
    ->check(parsed_by(parse_mode_change))
    ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app_
    .add_option("--exchange", exchange_,
                "which samples an agent works on: any (global), those of its shard of the data set (static), or each "
                "epoch those of the next shard (rotate)")
    ->option_text("HOW")
    ->check(one_of_table(exchange_names))
    ->capture_default_str();
  app_
    .add_option("--shard-dir", job.shard_dir,
                "with --exchange static or rotate: where the processes of agents keep their shards of the data set, "
                "each on its host [in memory]")
    ->option_text("DIR");
  app_.add_option("--device", job.device, "what agents compute on")->option_text("NAME")->capture_default_str();
  app_.add_option("--threads", job.threads, "per agent [the machine's cores, shared out]")
    ->option_text("N")
    ->check(whole_number(1, most_agents));
  app_.add_option("--isolation", isolation_, "agents as threads of this process, or each in a process of its own")
    ->option_text("thread|process")
    ->check(one_of_table(isolation_names))
    ->capture_default_str();
  app_
    .add_option("--handler-limit", handler_limit_,
                "seconds that an agent in a process of its own may work on one message before the process is ended and "
                "started again; 0: no limit")
    ->option_text("S")
    ->check(whole_number(0, 86400))
    ->capture_default_str();
  app_.add_option("--nodes", job.nodes, "spread the agents over these running `troupe node`s")
    ->option_text("HOST:PORT,..")
    ->delimiter(',')
    ->check(host_and_port())
    ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app_
    .add_option("--hostfile", job.hostfile,
                "over the nodes in this file instead: HOST:PORT [slots=N] a line, N agents on it at most")
    ->option_text("FILE");
  app_
    .add_option("--place", place_,
                "on which node each agent begins: around them (spread), no two on one (one-per), or one node filled "
                "after the other (pack, with slots in --hostfile)")
    ->option_text("RULE")
    ->check(parsed_by(parse_place_rule))
    ->capture_default_str();
  app_
    .add_option("--wait-for-nodes", wait_for_nodes_,
                "seconds that the run goes on while no node has a place for any of its agents, before it ends")
    ->option_text("S")
    ->check(whole_number(0, 30 * 86400))
    ->capture_default_str();
  app_
    .add_option("--standby", job.standby,
                "with --nodes: a running `troupe standby`, which goes on with the job should this process be gone")
    ->option_text("HOST:PORT")
    ->check(host_and_port());
  app_
    .add_option(
      "--certs", job.certs,
      "with --nodes: folder with this process's certificate, the leader of troupe certs; the nodes are started "
      "with theirs")
    ->option_text("DIR");
}

void train_options::declare_checkpoints() {
  auto& job = result_.job;
  app_.option_defaults()->group("Checkpoints");
  app_.add_option("--checkpoint", job.checkpoint, "keep checkpoints in this folder")->option_text("DIR");
  app_
    .add_option("--checkpoint-every", job.checkpoint_every, "steps between checkpoints [one at the end of each epoch]")
    ->option_text("N")
    ->check(whole_number(1, UINT64_MAX));
  app_
    .add_option("--ledger", job.ledger,
                "record here which samples took effect at which step, for troupe audit [a folder in --checkpoint]")
    ->option_text("DIR");
  app_.add_flag("--resume", job.resume, "go on from the newest checkpoint, if there is one");
}

void train_options::declare_output() {
  app_.option_defaults()->group("Output");
  app_.add_option("--report", result_.report, "write a report with losses, accuracies and speed here")
    ->option_text("FILE.json");
  app_
    .add_option("--events", result_.events,
                "write what happens here as it happens, a line of JSON each: steps, views, who is lost and found")
    ->option_text("FILE.jsonl");
  app_.add_option("--log-every", result_.job.log_every, "steps between losses in the report")
    ->option_text("N")
    ->check(whole_number(1, UINT64_MAX))
    ->capture_default_str();
  app_
    .add_option("--fault", faults_,
                "let something go wrong, once: WHERE[@step=N]:KIND, as in agent/1@step=20:kill; may be repeated")
    ->option_text("FAULT")
    ->delimiter(',')
    ->check(parsed_by(parse_fault))
    ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app_.add_flag("--no-evaluate", no_evaluate_, "without the test accuracy after each epoch");
  app_.add_flag("--print-tree", result_.print_tree, "print the supervision tree of the job and train nothing");
  app_.add_flag("--quiet", result_.quiet, "print nothing but what goes wrong");
}

expected<void> train_options::apply_job_file() {
  const auto entries = read_job_file(job_file_);
  if (!entries)
    return tl::unexpected(entries.error());
  std::vector<std::string> known;
  for (const auto* option : app_.get_options([](const CLI::Option* o) { return o->nonpositional(); }))
    known.push_back(option->get_single_name());
  for (const auto& [key, value, where] : *entries) {
    auto* option = key == "job" || key == "help" ? nullptr : app_.get_option_no_throw("--" + key);
    if (!option) {
      const auto meant = nearest(key, known);
      return fail(fmt::format("{}: unknown key {}: {}", where, key,
                              meant.empty() ? "the keys are the options of `troupe train --help` without the dashes"
                                            : fmt::format("is {} meant?", meant)));
    }
    if (option->count() > 0)
      continue; // the command line wins
    try {
      option->add_result(value);
      option->run_callback();
    } catch (const CLI::Error& error) {
      // In a file the option's name has no dashes.
      return fail(fmt::format("{}: {}", where, sentence(error).substr(2)));
    }
  }
  return {};
}

expected<train> train_options::finish() {
  if (!job_file_.empty())
    if (const auto applied = apply_job_file(); !applied)
      return tl::unexpected(applied.error());
  auto& job = result_.job;
  auto& optimizer = job.optimizer;
  const auto given = [&](const char* option) { return app_.get_option(option)->count() > 0; };
  optimizer.kind = learn::parse_optimizer(optimizer_).value();
  if (!given("--lr"))
    optimizer.learning_rate = usual_learning_rate(optimizer.kind);
  if (!given("--weight-decay") && optimizer.kind == learn::optimizer_kind::adamw)
    optimizer.weight_decay = 0.01f;
  if (!given("--momentum") && optimizer.kind == learn::optimizer_kind::rmsprop)
    optimizer.momentum = 0;
  job.schedule = learn::parse_schedule(schedule_).value();
  std::tie(job.least_agents, job.agents) = read_agents(agents_).value();
  job.precision = value_of(precision_names, precision_).value();
  job.place = parse_place_rule(place_).value();
  if (!job.hostfile.empty() && !job.nodes.empty())
    return fail("--nodes and --hostfile both name the nodes: give one of them");
  if (!job.hostfile.empty()) {
    auto hosts = read_hosts(job.hostfile);
    if (!hosts)
      return tl::unexpected(hosts.error());
    job.nodes = std::move(hosts->nodes);
    job.node_slots = std::move(hosts->slots);
  }
  job.isolation = value_of(isolation_names, isolation_).value();
  job.order = value_of(order_names, order_).value();
  job.exchange = value_of(exchange_names, exchange_).value();
  job.on_nonfinite = value_of(nonfinite_names, on_nan_).value();
  job.combine = learn::parse_combine(combine_).value();
  job.compression = learn::parse_compression(compression_).value();
  job.asynchronous = staleness_ == "async";
  job.staleness = job.asynchronous ? 0 : parse_staleness(staleness_).value();
  job.handler_limit = std::chrono::seconds{handler_limit_};
  job.wait_for_nodes = std::chrono::seconds{wait_for_nodes_};
  job.augment = !no_augment_;
  job.evaluate = !no_evaluate_;
  for (const auto& text : changes_)
    job.changes.push_back(parse_mode_change(text).value());
  for (const auto& text : faults_)
    job.faults.push_back(parse_fault(text).value());
  return result_;
}

} // namespace troupe::command
