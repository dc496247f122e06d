#pragma once

#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "actors/hosted_job.hpp"
#include "actors/shard_vault.hpp"
#include "gpu/stream.hpp"
#include "learn/optimizer.hpp"
#include "messages/training.hpp"

namespace troupe {

/// The numbers of a shard in the hands of its holder or of a replica: parameters, never written after they were
/// published, and the optimiser's state, which updates write in place. What the process keeps of them (`shard_vault`)
/// is written by whoever has claimed the shard last.
class shard_memory {
public:
  shard_memory(std::shared_ptr<hosted_job> job, std::shared_ptr<shard_vault> vault, uint32_t shard,
               learn::optimizer_options how)
    : job_(std::move(job)), vault_(std::move(vault)), shard_(shard), how_(how), claim_(vault_->claim(shard)) {}

  /// Calls `then` when no update of a life before is under way any more, perhaps on another thread.
  void when_settled(std::function<void()> then) { vault_->when_settled(shard_, std::move(then)); }
  /// What the vault has.
  std::optional<shard_vault::commit> restore();
  /// Starts from these; missing state is zero. False: somebody else has claimed the shard. Throws
  /// `std::invalid_argument` where sizes differ.
  bool load(const step_set& applied, view since, const payload& values, const std::vector<payload>& state);
  /// Enqueues the update by these sums; `applied`: the steps that have made the parameters before it. Calls `done` with
  /// the new parameters, on the stream's thread, when they are in the vault. False: somebody else has claimed the
  /// shard.
  bool update(gpu::stream& on, const commit_step& c, const std::vector<block_id>& blocks,
              const std::vector<payload>& sums, step_set applied, view since, std::function<void(payload)> done);
  /// Keeps the sums of a step that may be committed. False: somebody else has claimed the shard.
  bool keep_sums(step at, shard_vault::sums what) { return vault_->keep_sums(shard_, claim_, at, std::move(what)); }
  /// Those of steps that have not been applied, as of the view in which the run last went back.
  [[nodiscard]] std::map<step, shard_vault::sums> kept_sums(view since) const;
  /// The update is done.
  void adopt(payload values) { values_ = std::move(values); }
  /// Nobody comes back to what the vault has.
  void forget() { vault_->forget(shard_, claim_); }

  [[nodiscard]] const payload& values() const { return values_; }
  [[nodiscard]] const std::vector<payload>& state() const { return state_; }

private:
  std::shared_ptr<hosted_job> job_;
  std::shared_ptr<shard_vault> vault_;
  uint32_t shard_;
  learn::optimizer_options how_;
  uint64_t claim_;
  payload values_;
  std::vector<payload> state_;
};

} // namespace troupe
