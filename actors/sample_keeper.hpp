#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "actors/hosted_job.hpp"
#include "actors/sample_keeper_core.hpp"
#include "gpu/stream.hpp"
#include "learn/data/shard_file.hpp"
#include "messages/interfaces.hpp"
#include "supervision/in_place.hpp"

namespace troupe {

/// Holds the samples that the agent at its side works on, where its process does not open the data set (see
/// `sample_keeper_core`).
/// Receives `need_samples` (its agent), `request_samples` (other keepers), `role_bound` (directory), `leave_run` (its
/// host, when its agent has left); asks keepers and the source with `request_samples`, answers with `samples`, and
/// tells its agent `samples_held`. With a folder for shards it keeps them in files there, and asks the source with
/// `request_checksum` whether one that it finds is the right one; else it says so and fetches the shard. Fails with a
/// sentence when the source refuses what it asks for. Owns the shards of `hosted_job::held`, and its files; a new life
/// fetches the shards anew, or opens their files.
class sample_keeper {
public:
  using interface = sample_keeper_actor;
  static constexpr const char* actor_name = "troupe.sample_keeper";

  struct config {
    role_id role;
    std::shared_ptr<hosted_job> job;       ///< in which samples are held
    size_t piece = 0;                      ///< samples that are asked for at a time; 0: `samples_per_piece`
    std::optional<gpu::device> files = {}; ///< where files are written and read, if the job has a folder for them
  };

  sample_keeper(interface::pointer self, life now, const config& c);
  interface::behavior_type make_behavior();

private:
  using promise = caf::typed_response_promise<samples>;
  struct incoming {
    payload values;
    payload labels;
  };

  void perform(const sample_keeper_core::actions& actions);
  void perform(const sample_keeper_core::open& a);
  void perform(const sample_keeper_core::ask& a);
  void perform(const sample_keeper_core::keep& a);
  void perform(const sample_keeper_core::drop& a);
  void perform(const sample_keeper_core::forget& a);
  void perform(const sample_keeper_core::tell&);

  void fetch(size_t shard);
  void found(size_t shard, const expected<std::optional<learn::shard_file>>& file);
  void use(size_t shard, const learn::shard_file& file);
  void write(size_t shard, const learn::stored_samples& what);
  [[nodiscard]] std::filesystem::path path_of(size_t shard) const;
  void failed(uint64_t number);
  void arrived(const sample_keeper_core::ask& asked, const samples& what);
  [[nodiscard]] bool fits(const sample_keeper_core::ask& asked, const samples& what) const;
  void answer(const request_samples& what, promise to);
  void answer_those_that_wait();
  static learn::stored_samples owned(const samples& what);
  static learn::stored_samples stored_in(payload values, payload labels);
  [[nodiscard]] samples piece_of(const request_samples& what) const;
  void count_held();
  void schedule_tick();

  interface::pointer self_;
  life now_;
  config config_;
  sample_keeper_core core_;
  std::optional<gpu::stream> files_;    // none: shards are held in memory
  std::map<size_t, incoming> incoming_; // by shard
  std::vector<std::pair<request_samples, promise>> waiting_;
  uint64_t dropped_ = 0; // as far as it has been counted
};

} // namespace troupe
