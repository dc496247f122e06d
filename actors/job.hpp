#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "actors/place_rule.hpp"
#include "actors/run_event.hpp"
#include "actors/spawnable.hpp"
#include "learn/combine.hpp"
#include "learn/compression.hpp"
#include "learn/model.hpp"
#include "learn/optimizer.hpp"
#include "learn/order.hpp"
#include "learn/schedule.hpp"
#include "messages/failure.hpp"
#include "supervision/fault.hpp"

namespace troupe {

/// Where agents live: threads of this process, or worker processes of this machine.
enum class isolation : uint8_t { thread, process };

/// What happens with a step whose gradient is not finite (T6). It is never applied (I11).
enum class nonfinite : uint8_t {
  stop,   ///< the run ends with a sentence
  skip,   ///< the step counts and changes nothing
  rewind, ///< the run goes back to its last checkpoint; where that does not help, it stops
};

/// From step `at` on agents synchronise otherwise: an option, spelled as on the command line, has another value.
struct mode_change {
  uint64_t at = 0; ///< steps that have committed
  std::string option;
  std::string value;

  bool operator==(const mode_change&) const = default;
};

/// One training job, as the command line, a TOML job file or an app describes it.
struct job_options {
  std::string model = "lenet";
  std::string data = "digits"; ///< "digits" or a folder, see learn::open_data
  /// Who sums and who updates: "ps" = parameter shards, "sharded" = each agent its part of the parameters, "tree" =
  /// parameter shards by way of aggregators, "ring" = all-reduce among the agents, "gossip" = each agent a replica of
  /// its own, averaged with another one's in each step.
  std::string sync = "ps";
  int fan_in = 0;         ///< with "tree": agents that share an aggregator; 0: about as many as there are aggregators
  uint64_t staleness = 0; ///< how many updates old the parameters may be that a gradient is computed with
  bool asynchronous = false; ///< instead: no limit; a step is one agent's work, applied when it is complete
  uint64_t local_steps = 1;  ///< steps that each micro-batch's worker takes on its own between two averages
  float outer_rate = 1;     ///< with local steps: learning rate of the outer optimiser; 1 without momentum: the average
  float outer_momentum = 0; ///< with local steps: Nesterov momentum of the outer optimiser
  learn::combine_options combine;         ///< of what the micro-batches of a step contribute
  learn::compression_options compression; ///< of gradients on their way
  int agents = 1;                         ///< at most
  int least_agents = 0;      ///< the run begins when so many have joined, the others join as they come; 0: all of them
  bool reproducible = false; ///< the same weights, bit by bit, for any number of agents, come and go who may
  int shards = 0;            ///< shard holders; 0: one per agent, at most one per block of parameters
  size_t batch = 128;        ///< samples per step, over all agents
  size_t micro_batch = 0;    ///< 0: the largest divisor of `batch` that gives each agent at least one
  uint64_t epochs = 3;
  uint64_t steps = 0; ///< 0: no limit; else stop after this many
  learn::optimizer_options optimizer;
  learn::schedule_options schedule = {
    .kind = learn::schedule_kind::cosine}; ///< over the whole run, if it has no total of its own
  learn::precision precision = learn::precision::f32;
  std::string device = "cpu";
  int threads = 0; ///< per agent; 0: the machine's cores divided by the agents of this machine, at least 1
  troupe::isolation isolation = isolation::thread;
  std::vector<std::string> nodes; ///< "host:port" of running `troupe node` processes; agents are spread over them
  std::vector<int> node_slots;    ///< agents that each of these takes at most, 0: unknown; empty: all are unknown
  std::string hostfile;           ///< that named both, for the report; empty: none did
  place_rule place = place_rule::spread; ///< on which of them each agent begins, and where it goes back to
  /// With nodes: how long the run goes on while none of its agents has a place on any of them, before it ends.
  std::chrono::milliseconds wait_for_nodes{300'000};
  std::string standby; ///< "host:port" of a `troupe standby`, which goes on should this process be gone
  std::string certs;   ///< folder with this process's certificate, for the nodes; empty: no TLS
  std::string
    worker_program; ///< what hosts agents with `isolation::process`, called as `troupe node …` is; empty: this program
  uint64_t seed = 1;
  learn::order_kind order = learn::order_kind::shuffled;
  /// Who has which samples. With shards there is one for each agent of the most that may come.
  learn::exchange_kind exchange = learn::exchange_kind::global;
  std::string shard_dir;         ///< folder for shards that agents' processes hold; empty: they hold them in memory
  bool augment = true;           ///< the data set's usual augmentation; always off with sequential order
  std::string init;              ///< safetensors to start from
  std::string export_to;         ///< safetensors to write at the end
  std::string checkpoint;        ///< folder for checkpoints; empty: none
  uint64_t checkpoint_every = 0; ///< steps; 0: at the end of each epoch
  std::string ledger;            ///< folder for the ledger; empty: `ledger` in that for checkpoints, or none
  bool resume = false;           ///< go on from the newest checkpoint; where there is none yet, begin
  nonfinite on_nonfinite = nonfinite::stop;
  std::chrono::milliseconds handler_limit{
    60000};                         ///< an agent's process that works on one message for longer is ended; 0: no limit
  double target_accuracy = 0;       ///< fraction of the test set; stop after an epoch that reaches it
  uint64_t log_every = 10;          ///< steps between entries of `job_report::train_loss`
  bool evaluate = true;             ///< test accuracy after each epoch
  std::vector<mode_change> changes; ///< of sync, staleness, fan-in, shards, combine or compress while the run goes on
  std::vector<fault> faults;        ///< what is to go wrong, to see what comes of it
};

/// After a committed step.
struct step_progress {
  uint64_t step = 0;        ///< committed so far, over the whole run
  uint64_t steps_total = 0; ///< where the run will stop at the latest
  uint64_t epoch = 0;       ///< from 1
  uint64_t epochs = 0;
  double loss = 0;     ///< mean over the step's samples
  double accuracy = 0; ///< on the step's training samples, before the update
  double samples_per_second = 0;
  uint64_t samples = 0; ///< of this process's run so far
};

/// After an epoch.
struct epoch_progress {
  uint64_t epoch = 0; ///< from 1
  double test_accuracy = 0;
  double test_loss = 0;
  double seconds = 0; ///< since the start of the run
};

/// Called on the runtime's threads, by `run_job` by one at a time; keep it short.
struct job_observer {
  std::function<void(const step_progress&)> on_step;
  std::function<void(const epoch_progress&)> on_epoch;
  /// A sentence the user should see: a resumed checkpoint, a checkpoint that could not be written, a restart, an agent
  /// that waits for a place.
  std::function<void(const std::string&)> on_note;
  /// Called by several threads.
  std::function<void(const run_event&)> on_event = {};
};

enum class stop_reason : uint8_t { epochs_done, steps_done, target_reached, interrupted };

struct job_report {
  stop_reason reason = stop_reason::epochs_done;
  uint64_t steps = 0;                                  ///< committed over the whole run, resumed part included
  uint64_t samples = 0;                                ///< of this process's run
  double seconds = 0;                                  ///< from first step to last commit, evaluation included
  double training_seconds = 0;                         ///< the same without evaluation and checkpoints
  double samples_per_second = 0;                       ///< samples / training_seconds
  double seconds_to_first_step = 0;                    ///< from the call to the first commit
  std::vector<std::pair<uint64_t, double>> train_loss; ///< (step, loss)
  std::vector<double> test_accuracy;                   ///< per epoch
  std::string weights_sha256;                          ///< over the slices' bytes in layout order
  uint64_t restarts = 0;
  uint64_t skipped_steps = 0;             ///< whose gradient was not finite (nonfinite::skip)
  std::map<uint64_t, uint64_t> staleness; ///< micro-batches by how many updates old their parameters were
  uint64_t dropped_messages = 0;          ///< stale or doubled, by the receivers' count (I13)
  /// Gradients and parameters that roles have sent each other, by reference or not; without what an agent and a ring
  /// peer or shard holder at its side hand each other.
  uint64_t sent_bytes = 0;
  uint64_t received_bytes = 0; ///< of gradients, by the shard holders of this process
  uint64_t lent_bytes = 0;     ///< of tensors that processes lent to others of their host instead of sending them
  uint64_t not_lent = 0;       ///< tensors that were to be lent and were sent, since a bound was reached
  /// Bytes of samples that the agents' processes got from the leader's, and from each other; and that one of them held
  /// at a time, at most. All 0 where each process opens the data set.
  uint64_t samples_from_source = 0;
  uint64_t samples_from_keepers = 0;
  uint64_t most_samples_held = 0;
  uint64_t parameters = 0;
  std::string tree; ///< the supervision tree as `--print-tree` shows it; one for each way to synchronise
  std::vector<std::pair<uint64_t, double>> changes; ///< of mode: (step, seconds from the commit before to the next)
};

/// Refuses a job that cannot run, with one sentence, before anything is started or written.
expected<void> validate(const job_options& options);

/// The supervision tree that `run_job` would start, indentation showing the tree.
expected<std::string> describe_tree(const job_options& options);

/// Runs a job to its end. `stop` finishes the step in progress, writes a checkpoint if there is a folder for it, and
/// returns normally with `stop_reason::interrupted`.
expected<job_report> run_job(const job_options& options, const job_observer& observer = {},
                             const std::stop_token& stop = {});

/// A process that hosts agents of jobs elsewhere, each in a worker process of its own; or such a worker process.
struct node_options {
  std::string host = "127.0.0.1"; ///< address to bind
  std::string certs;              ///< folder with its certificate: who has none of the same job is not let in
  bool insecure = false;          ///< without: also an address that other machines can reach
  uint16_t port = 0;              ///< 0: any free one
  int slots = 1;                  ///< agents it takes at most
  int threads = 0;                ///< per agent; 0: as the job says
  int parent_pipe = -1;           ///< file descriptor, for a worker process: when it closes, the process ends
  std::string worker_program;     ///< what is started for each agent, as `troupe node …` is; empty: this program
  std::vector<registered_type> types = {}; ///< that it starts actors of, besides
  int actors_of_a_job = 256;               ///< of these types, at most
};

/// A process that follows the leader of one job and goes on with it, should that be gone (`--standby`).
struct standby_options {
  std::string host = "127.0.0.1"; ///< address to bind
  std::string certs;              ///< as of a node
  bool insecure = false;          ///< the same
  uint16_t port = 0;              ///< 0: any free one
  std::string checkpoint;         ///< folders and file of this host, as in `job_options`
  std::string ledger;
  std::string export_to;
};

struct standby_observer {
  std::function<void(uint16_t)> on_ready;          ///< gets the bound port
  std::function<void(const std::string&)> on_note; ///< a sentence the user should see
  /// This process leads from now on: the job, and at which of its steps.
  std::function<void(const job_options&, uint64_t)> on_lead;
  job_observer job; ///< of the run from then on
};

/// How it ended for a standby.
struct standby_end {
  std::string job_ended;            ///< how, under its first leader; empty: this process took over
  std::optional<job_report> report; ///< of what it led
};

/// Follows, and leads where it has to. Returns when the job has ended, under whomever; or upon `stop`, with neither.
expected<standby_end> run_standby(const standby_options& options, const standby_observer& observer,
                                  const std::stop_token& stop);

struct node_observer {
  std::function<void(uint16_t)> on_ready;          ///< gets the bound port
  std::function<void(const std::string&)> on_note; ///< a sentence the user should see: a worker process that ended
};

/// Runs until `stop` or until the parent is gone.
expected<void> run_node(const node_options& options, const node_observer& observer, const std::stop_token& stop);

} // namespace troupe
