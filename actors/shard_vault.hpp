#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "messages/ids.hpp"
#include "messages/payload.hpp"

namespace troupe {

/// The last commit of each shard of a process, outside of the actors that hold the shards: what a holder that failed or
/// was killed comes back with (T3, T8). Keeps references, no copies: parameters are never written after an update, and
/// the optimiser's state only by the next update, which is announced. Thread-safe.
class shard_vault {
public:
  struct commit {
    step version;
    payload values;
    std::vector<payload> state;
    view since; ///< in which the run last went back before
  };

  /// An update begins to write the state: until its `keep` there is nothing to come back with.
  void open(uint32_t shard);
  void keep(uint32_t shard, commit what);
  [[nodiscard]] std::optional<commit> find(uint32_t shard) const;
  /// The run goes back: what is kept is void.
  void clear();

private:
  mutable std::mutex mutex_;
  std::map<uint32_t, commit> commits_;
};

} // namespace troupe
