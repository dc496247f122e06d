#pragma once

#include <caf/actor_clock.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "actors/agent_core.hpp"
#include "actors/hosted_job.hpp"
#include "actors/work_queue.hpp"
#include "gpu/stream.hpp"
#include "learn/compression.hpp"
#include "learn/local_steps.hpp"
#include "learn/replica.hpp"
#include "messages/interfaces.hpp"
#include "supervision/in_place.hpp"

namespace troupe {

class step_work;

/// Trains a replica of the model on the micro-batches leased to it (see `agent_core`).
/// Receives `parameters` (shard holders), `lease`, `split_lease` (data broker), `evaluate`, `view_changed`
/// (coordinator), `role_bound` (directory), `samples_held` (the sample keeper at its side, where its process does not
/// open the data set: what is leased waits until its samples are there), `leave_run` (its host), upon which it ends
/// normally as soon as what it has begun has taken effect; sends `push_gradients` per finished block,
/// `micro_batches_done`, `request_lease`, `offer_help`, `lease_split`, `evaluation`. Fails with a reason when its
/// stream does or the device cannot run the model. Owns one stream and one replica. A new life pulls the current
/// parameters and is leased its part of the step again.
class agent {
public:
  using interface = agent_actor;
  static constexpr const char* actor_name = "troupe.agent";

  struct config {
    role_id role;
    std::shared_ptr<hosted_job> job;
    gpu::device where;
  };

  agent(interface::pointer self, life now, const config& c);
  ~agent();
  interface::behavior_type make_behavior();

private:
  // The samples of a micro-batch, filled in by a task of the stream.
  struct input {
    payload images;
    payload labels;
    int n = 0;
    std::shared_ptr<uint32_t> ids = {}; // checksum over the samples' ids
  };

  void perform(const agent_core::actions& actions);
  void perform(const agent_core::announce&);
  void perform(const agent_core::use_parameters& a);
  void perform(const agent_core::ask& a);
  void perform(const agent_core::offer& a);
  void perform(const agent_core::fetch& a);
  void perform(const agent_core::compute& a);
  void perform(const agent_core::measure& a);
  void perform(const agent_core::push_again& a);
  void perform(const agent_core::prove& a);
  void perform(const agent_core::pull& a);
  void perform(const agent_core::forget&);
  void perform(const agent_core::go&);

  std::optional<input> samples_of(step at, uint64_t index);
  input gather_training(std::shared_ptr<const learn::dataset> from, std::vector<uint32_t> ids, uint64_t epoch);
  std::vector<uint32_t> ids_of(const learn::position_range& where);
  void ask_for_samples(const lease& what);
  void need(need_samples what);
  void go_on_with_samples();
  void ask_again_for_samples();
  learn::micro_batch_data view_of(const input& x) const;
  void train(const lease& what, step base, bool again);
  void feed();
  void split(const split_lease& word);
  [[nodiscard]] double seconds_now() const;
  void pass(const lease& what, uint64_t index, const input& in, const std::shared_ptr<step_work>& work);
  void computed(const std::shared_ptr<step_work>& work);
  void measure_speed();
  void keep(const std::shared_ptr<step_work>& work);
  void prove(const std::shared_ptr<step_work>& work, block_id block);
  void schedule_tick();

  interface::pointer self_;
  life now_;
  config config_;
  agent_core core_;
  gpu::stream stream_;
  std::shared_ptr<learn::replica> replica_;
  std::vector<learn::local_steps::place> bound_; // what the replica is bound to, by block
  std::optional<learn::local_steps> local_;
  std::shared_ptr<learn::error_feedback> feedback_;     // null: gradients are not compressed
  std::map<uint32_t, std::map<step, payload>> arrived_; // by shard: versions not in use yet
  std::map<std::pair<step, uint64_t>, input> inputs_;
  std::map<uint64_t, std::vector<uint32_t>> orders_; // by epoch
  std::optional<uint64_t> epoch_;                    // that the sample keeper knows of
  std::set<std::pair<step, uint64_t>> asked_;        // micro-batches whose samples it was asked for
  std::vector<lease> late_;                          // to be fetched when their samples are there
  std::vector<evaluate> tests_;                      // the same, of the test set
  work_queue queue_;
  std::map<uint64_t, std::shared_ptr<step_work>> works_; // of the queue
  std::vector<lease> to_fetch_;                          // when the stream has what is started
  std::vector<std::shared_ptr<step_work>> done_;         // kept until its step takes effect
  std::set<std::pair<step, block_id>> doubted_;          // of steps that have not
  size_t under_way_ = 0;                                 // pieces of work on the stream
  std::optional<caf::actor_clock::time_point> began_;    // of training that is under way, if nothing else is
  uint64_t timed_ = 0;                                   // micro-batches of it
  uint64_t finished_ = 0;                                // of these
  double micro_batch_seconds_ = 0;                       // lately; 0: not known
  uint64_t patience_ms_;
};

} // namespace troupe
