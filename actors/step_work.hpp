#pragma once

#include <map>
#include <memory>
#include <vector>

#include "actors/directory.hpp"
#include "actors/hosted_job.hpp"
#include "actors/sum_tree.hpp"
#include "learn/compression.hpp"
#include "learn/replica.hpp"
#include "messages/interfaces.hpp"

namespace troupe {

/// One lease being computed: sums the gradients of its micro-batches along the step's tree and pushes each block as
/// soon as a part of the cover is final. Lives on the stream until the last micro-batch is done, with the agent
/// afterwards, which pushes it again if it may have been lost.
class step_work {
public:
  struct how {
    step base;                                            ///< version of the parameters it is computed with
    bool again = false;                                   ///< some of it was rejected when it was done before
    std::shared_ptr<learn::error_feedback> feedback = {}; ///< compresses what is pushed; null: nothing does
  };

  step_work(std::shared_ptr<hosted_job> job, origin from, const lease& l, how done);

  /// Where micro-batch `index` writes its result.
  learn::batch_result* result(uint64_t index) { return &results_[index - lease_.first]; }

  /// Where the checksum over the sample ids of micro-batch `index` will stand once they are gathered.
  void gathers(uint64_t index, std::shared_ptr<const uint32_t> ids) { ids_[index - lease_.first] = std::move(ids); }

  /// Block `b` of micro-batch `index` is final. On the stream's thread.
  void finished(uint64_t index, size_t b, payload gradient);

  /// Micro-batches from `end` on are another agent's. On the stream's thread, when all before it are final.
  void end_at(uint64_t end);

  /// Sends every push once more.
  void push_again() const;
  /// Sends those of one block once more.
  void push_again(block_id which) const;
  /// Whether this is worth doing again: a part of the block is not finite, and this is the first try.
  [[nodiscard]] bool is_doubtful(block_id which) const;
  [[nodiscard]] bool is_again() const { return how_.again; }
  /// Tells the coordinator the losses.
  void report(uint64_t dropped) const;

  [[nodiscard]] const lease& what() const { return lease_; }
  [[nodiscard]] const origin& from() const { return from_; }

private:
  struct part {
    partial_sums sums;
    std::map<tree_node, payload> values;
  };

  void push(push_gradients p);
  void send(const directory::located<shard_holder_actor>& holder, push_gradients p) const;

  std::shared_ptr<hosted_job> job_;
  origin from_;
  lease lease_;
  how how_;
  std::vector<tree_node> cover_;
  std::vector<part> blocks_;
  std::vector<learn::batch_result> results_;
  std::vector<std::shared_ptr<const uint32_t>> ids_;
  std::vector<push_gradients> pushed_;
};

} // namespace troupe
