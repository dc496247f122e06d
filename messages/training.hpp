#pragma once

#include <cstdint>
#include <vector>

#include "messages/ids.hpp"
#include "messages/membership.hpp"
#include "messages/payload.hpp"
#include "messages/step_set.hpp"

namespace troupe {

/// A node of the fixed binary tree over the micro-batches of a step (R6): node (level, index) is the sum of
/// micro-batches [index·2^level, (index+1)·2^level), cut off at the step's last one. The tree makes the sum's bits
/// independent of who computed what.
struct tree_node {
  uint32_t level = 0;
  uint64_t index = 0;

  auto operator<=>(const tree_node&) const = default;

  template <class Inspector>
  friend bool inspect(Inspector& f, tree_node& x) {
    return f.object(x).fields(f.field("level", x.level), f.field("index", x.index));
  }
};

/// agent → shard_holder, or agent → aggregator → shard_holder: the gradient of one block, summed over the micro-batches
/// of `node`, each sample weighted 1/samples of the step. Keyed by (step, block, node): a copy, or a part of what is
/// there already, counts once (R5).
struct push_gradients {
  origin from;
  step at;
  step base; ///< version of the parameters it was computed with; of a sum, the oldest
  block_id block;
  tree_node node;
  uint64_t micro_batches = 0; ///< of the whole step
  payload gradient;           ///< (block size) f32
  bool again = false;         ///< computed once more after it was rejected: what it is now, it is

  template <class Inspector>
  friend bool inspect(Inspector& f, push_gradients& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("at", x.at), f.field("base", x.base),
                              f.field("block", x.block), f.field("node", x.node),
                              f.field("micro_batches", x.micro_batches), f.field("gradient", x.gradient),
                              f.field("again", x.again));
  }
};

/// shard_holder → agents, or shard_holder → aggregators → agents: the sum of a block is not finite, so what was
/// contributed to it counts no more (T6). An agent pushes its own part again; one that is not finite it computes again
/// first. Said again when an agent pulls.
struct reject_gradients {
  origin from;
  step at;
  block_id block;

  template <class Inspector>
  friend bool inspect(Inspector& f, reject_gradients& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("at", x.at), f.field("block", x.block));
  }
};

/// What one micro-batch yielded.
struct micro_batch_result {
  uint64_t index = 0;
  double loss_sum = 0;
  int64_t correct = 0;
  int64_t samples = 0;
  uint32_t ids = 0; ///< CRC-32C over the ids of the samples that were gathered, for the ledger

  template <class Inspector>
  friend bool inspect(Inspector& f, micro_batch_result& x) {
    return f.object(x).fields(f.field("index", x.index), f.field("loss_sum", x.loss_sum), f.field("correct", x.correct),
                              f.field("samples", x.samples), f.field("ids", x.ids));
  }
};

/// agent → coordinator: losses of the micro-batches of a lease. Keyed by micro-batch; a copy counts once.
struct micro_batches_done {
  origin from;
  step at;
  step base;                  ///< version of the parameters they were computed with
  uint64_t micro_batches = 0; ///< of the whole step
  std::vector<micro_batch_result> results;
  uint64_t dropped = 0; ///< messages this incarnation has dropped so far (I13)
  attempt number;       ///< of the lease

  template <class Inspector>
  friend bool inspect(Inspector& f, micro_batches_done& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("at", x.at), f.field("base", x.base),
                              f.field("micro_batches", x.micro_batches), f.field("results", x.results),
                              f.field("dropped", x.dropped), f.field("number", x.number));
  }
};

/// Squared norm of a block's summed gradient, in double, in an order that does not depend on threads.
struct block_norm {
  block_id block;
  double squared = 0;
  bool finite = true;
  std::vector<double> distances = {}; ///< for Krum: squared, between the contributions, see learn::squared_distances

  template <class Inspector>
  friend bool inspect(Inspector& f, block_norm& x) {
    return f.object(x).fields(f.field("block", x.block), f.field("squared", x.squared), f.field("finite", x.finite),
                              f.field("distances", x.distances));
  }
};

/// shard_holder → coordinator: every contribution to its blocks of step `at` is in. Repeated until the step commits.
struct shard_summed {
  origin from;
  step at;
  step version; ///< of the shard
  std::vector<block_norm> norms;

  template <class Inspector>
  friend bool inspect(Inspector& f, shard_summed& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("at", x.at), f.field("version", x.version),
                              f.field("norms", x.norms));
  }
};

/// coordinator → shard_holder: step `at` commits: apply it once (R4), as the update that makes version + 1 of
/// `version`. A holder that is past it ignores it.
struct commit_step {
  troupe::view view;
  step at;
  step version;
  float learning_rate = 0;
  float scale = 1;              ///< of the gradient, from clipping by the global norm
  bool skip = false;            ///< the gradient is not finite: count the step and change nothing (T6, I11)
  troupe::view crew_since = {}; ///< which ring's sum it is
  uint64_t chosen = 0;          ///< with Krum: the micro-batch whose contribution is taken for the gradient

  bool operator==(const commit_step&) const = default;

  template <class Inspector>
  friend bool inspect(Inspector& f, commit_step& x) {
    return f.object(x).fields(f.field("view", x.view), f.field("at", x.at), f.field("version", x.version),
                              f.field("learning_rate", x.learning_rate), f.field("scale", x.scale),
                              f.field("skip", x.skip), f.field("crew_since", x.crew_since),
                              f.field("chosen", x.chosen));
  }
};

/// shard_holder → agents: the shard's blocks after the updates of these steps, one behind the other in block order.
struct parameters {
  origin from;
  step_set applied; ///< its `version()` is that of the parameters
  payload values;   ///< (floats of the shard) f32

  template <class Inspector>
  friend bool inspect(Inspector& f, parameters& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("applied", x.applied), f.field("values", x.values));
  }
};

/// agent → shard_holder: "send me what you have if it is newer than `have`"; the repair when nothing came for a while.
struct pull_parameters {
  origin from;
  bool any = false; ///< the agent has none yet
  step have;

  template <class Inspector>
  friend bool inspect(Inspector& f, pull_parameters& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("any", x.any), f.field("have", x.have));
  }
};

/// runtime → coordinator: the user wants to stop; finish the step in progress.
struct stop_run {
  bool requested = true;

  template <class Inspector>
  friend bool inspect(Inspector& f, stop_run& x) {
    return f.object(x).fields(f.field("requested", x.requested));
  }
};

} // namespace troupe
