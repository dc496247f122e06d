#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "messages/fence.hpp"
#include "messages/ids.hpp"
#include "messages/payload.hpp"
#include "messages/step_set.hpp"

namespace troupe {

/// The last commit of each shard of a process, outside of the actors that hold the shards: what a holder that failed or
/// was killed comes back with (T3, T8). Keeps references, no copies: parameters are never written after an update, and
/// the optimiser's state only by the next update, which is announced. Whoever claims a shard last is the only one that
/// can write to it from then on, so that a holder can start where a replica still is. Thread-safe.
class shard_vault : public std::enable_shared_from_this<shard_vault> {
public:
  struct commit {
    step_set applied;
    payload values;
    std::vector<payload> state;
    view since; ///< in which the run last went back before
  };

  /// The sums of the contributions to a step that may be committed, or has been, and has not been applied here.
  struct sums {
    view since; ///< as above
    std::vector<block_id> blocks;
    std::vector<payload> values;
  };

  /// An update that is under way on some stream, perhaps for a holder that is gone. One that is dropped before it is
  /// kept has half written the state: nothing is left to come back with.
  class update {
  public:
    update(std::shared_ptr<shard_vault> vault, uint32_t shard) : vault_(std::move(vault)), shard_(shard) {}
    ~update() { vault_->settle(shard_, std::move(made_)); }
    update(const update&) = delete;
    update& operator=(const update&) = delete;

    /// It is done; called once, before the last reference goes.
    void keep(commit made) { made_ = std::move(made); }

  private:
    std::shared_ptr<shard_vault> vault_;
    uint32_t shard_;
    std::optional<commit> made_;
  };

  /// What to begin and keep with, from now on.
  uint64_t claim(uint32_t shard);
  /// An update begins to write the state. Keep the result with the work that makes it. Null: somebody else has claimed
  /// the shard since.
  std::shared_ptr<update> begin(uint32_t shard, uint64_t claim);
  /// Calls `then` as soon as no update of the shard is under way: at once, or on the thread that ends the last one.
  void when_settled(uint32_t shard, std::function<void()> then);
  /// False, and nothing is done: somebody else has claimed the shard since.
  bool keep(uint32_t shard, uint64_t claim, commit what);
  /// Until a commit that has the step is kept.
  bool keep_sums(uint32_t shard, uint64_t claim, step at, sums what);
  bool forget(uint32_t shard, uint64_t claim);
  /// Whether the bearer may have a shard that is here moved: nobody with a higher token has.
  bool admits(uint32_t shard, fencing_token token);
  [[nodiscard]] std::optional<commit> find(uint32_t shard) const;
  [[nodiscard]] std::map<step, sums> find_sums(uint32_t shard) const;
  /// The run goes back: what is kept is void.
  void clear();

private:
  void settle(uint32_t shard, std::optional<commit> made);
  void put(uint32_t shard, commit what);

  mutable std::mutex mutex_;
  std::map<uint32_t, uint64_t> claims_;
  std::map<uint32_t, fence> fences_;
  std::map<uint32_t, commit> commits_;
  std::map<uint32_t, std::map<step, sums>> sums_;
  std::map<uint32_t, size_t> under_way_;
  std::map<uint32_t, std::vector<std::function<void()>>> waiting_;
};

} // namespace troupe
