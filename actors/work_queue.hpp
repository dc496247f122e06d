#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "messages/leases.hpp"

namespace troupe {

/// The leases that an agent has started, micro-batch by micro-batch: what its stream gets next, and what of it another
/// agent can still take over. Pure (R1).
class work_queue {
public:
  /// `depth`: micro-batches that the stream has at a time, of which it finishes each; what waits behind them can be
  /// given up. 0: the stream gets all at once.
  explicit work_queue(size_t depth = 0) : depth_(depth) {}

  struct piece {
    uint64_t work; ///< number of the lease
    uint64_t micro_batch;
  };
  /// A lease of which nothing more goes to the stream.
  struct complete {
    uint64_t work;
    uint64_t end; ///< one past the last micro-batch that went there
  };
  struct split {
    uint64_t first = 0;
    uint64_t kept = 0; ///< one past the last micro-batch that is kept
    uint64_t last = 0;
  };

  /// The number that the lease gets.
  uint64_t add(const lease& l);
  /// What the stream gets now, if it is not full: to be looked at, and to be handed to it.
  [[nodiscard]] std::optional<piece> peek() const;
  std::optional<piece> next();
  /// The next lease of which the stream has got everything, each once.
  std::optional<complete> next_complete();
  /// The stream has finished a micro-batch.
  void on_done() { on_stream_ -= on_stream_ > 0; }
  /// Another agent has time: the end of a lease of that step is its, if that is worth while (see `worth_giving`).
  /// `seconds`: what a micro-batch takes here, and there.
  split give_up(step at, double seconds, double others);
  /// Gives up all that waits of such steps.
  void abandon(const std::function<bool(step)>& of);

  /// Nothing waits for the stream.
  [[nodiscard]] bool is_empty() const { return waiting_.empty(); }

private:
  struct entry {
    uint64_t number;
    step at;
    uint64_t first;
    uint64_t next;
    uint64_t end;
  };

  size_t depth_;
  size_t on_stream_ = 0;
  uint64_t numbers_ = 0;
  std::vector<entry> waiting_; // in the order in which they were started
};

} // namespace troupe
