#pragma once

#include <caf/typed_response_promise.hpp>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "gpu/stream.hpp"
#include "messages/registry.hpp"
#include "supervision/life.hpp"

namespace troupe {

/// Requests for a copy of what a holder has, each waiting for its version.
class snapshot_queue {
public:
  using promise = caf::typed_response_promise<shard_snapshot>;

  void add(const take_snapshot& what, promise answer) { waiting_.emplace_back(what, std::move(answer)); }

  /// Answers those for `version`, in order with the updates on `s`; refuses those for versions before it. Parameters
  /// are immutable; the optimiser's state is written in place, so it is copied.
  void deliver(gpu::stream& s, const life& now, step version, const payload& values, const std::vector<payload>& state);

private:
  std::vector<std::pair<take_snapshot, promise>> waiting_;
  std::map<uint64_t, promise> copying_; ///< they stay with their actor: what counts their copies is no atomic
  uint64_t next_ = 0;
};

} // namespace troupe
