#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/ids.hpp"
#include "messages/payload.hpp"

namespace troupe {

/// Who says something, from which start of theirs, in which membership (R3). Every state-changing message carries one.
struct origin {
  role_id role;
  troupe::incarnation incarnation;
  troupe::view view; ///< 0: it has seen none yet

  auto operator<=>(const origin&) const = default;

  /// Said before the run went back to an earlier step: it changes nothing any more.
  [[nodiscard]] bool is_void(troupe::view rewound) const { return view.value != 0 && view < rewound; }

  template <class Inspector>
  friend bool inspect(Inspector& f, origin& x) {
    return f.object(x).fields(f.field("role", x.role), f.field("incarnation", x.incarnation), f.field("view", x.view));
  }
};

/// A participant of a view.
struct member {
  role_id role;
  troupe::incarnation incarnation;

  auto operator<=>(const member&) const = default;

  template <class Inspector>
  friend bool inspect(Inspector& f, member& x) {
    return f.object(x).fields(f.field("role", x.role), f.field("incarnation", x.incarnation));
  }
};

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

// -- membership -------------------------------------------------------------------------------------------------------

/// agent, shard_holder, data_broker → coordinator: "I am here", when it starts and whenever a coordinator appears.
/// Idempotent; a higher incarnation replaces a lower one.
struct join {
  member who;
  step version;        ///< of the parameters it holds; meaningful for shard holders
  bool loaded = false; ///< a shard holder that has parameters

  template <class Inspector>
  friend bool inspect(Inspector& f, join& x) {
    return f.object(x).fields(f.field("who", x.who), f.field("version", x.version), f.field("loaded", x.loaded));
  }
};

/// coordinator → everyone: the members from now on. Lower numbers than the last seen change nothing.
struct view_changed {
  troupe::view number;
  step current; ///< the step being worked on
  std::vector<member> members;
  troupe::view rewound; ///< the view in which the run last went back to an earlier step; what older views said is void

  template <class Inspector>
  friend bool inspect(Inspector& f, view_changed& x) {
    return f.object(x).fields(f.field("number", x.number), f.field("current", x.current), f.field("members", x.members),
                              f.field("rewound", x.rewound));
  }
};

/// remote_agent → coordinator: nothing was heard of this peer for so long that others should take over its work. It may
/// come back, and joins again then (R8).
struct peer_unreachable {
  role_id role;

  template <class Inspector>
  friend bool inspect(Inspector& f, peer_unreachable& x) {
    return f.object(x).fields(f.field("role", x.role));
  }
};

// -- data -------------------------------------------------------------------------------------------------------------

/// agent → data_broker: asks for its part of `at`. Answered by a `lease`, at once or when the step begins.
struct request_lease {
  origin from;
  step at;

  template <class Inspector>
  friend bool inspect(Inspector& f, request_lease& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("at", x.at));
  }
};

/// data_broker → agent: micro-batches [first, last) of step `at` are yours. Also sent unasked, when another agent's
/// part has to be done again. Which samples they are is a pure function of (seed, step, micro-batch) (R5).
struct lease {
  step at;
  uint64_t first = 0;
  uint64_t last = 0;
  uint64_t micro_batches = 0; ///< of the whole step
  uint64_t samples = 0;       ///< of the whole step; the weight of a sample is 1/samples
  attempt number;

  template <class Inspector>
  friend bool inspect(Inspector& f, lease& x) {
    return f.object(x).fields(f.field("at", x.at), f.field("first", x.first), f.field("last", x.last),
                              f.field("micro_batches", x.micro_batches), f.field("samples", x.samples),
                              f.field("number", x.number));
  }
};

/// coordinator → data_broker: all of `at` took effect; its leases are done.
struct step_committed {
  troupe::view view;
  step at;

  template <class Inspector>
  friend bool inspect(Inspector& f, step_committed& x) {
    return f.object(x).fields(f.field("view", x.view), f.field("at", x.at));
  }
};

// -- a step -----------------------------------------------------------------------------------------------------------

/// agent → shard_holder: the gradient of one block, summed over the micro-batches of `node`, each sample weighted
/// 1/samples of the step. Keyed by (step, block, node): a copy, or a part of what is there already, counts once (R5).
struct push_gradients {
  origin from;
  step at;
  block_id block;
  tree_node node;
  uint64_t micro_batches = 0; ///< of the whole step
  payload gradient;           ///< (block size) f32

  template <class Inspector>
  friend bool inspect(Inspector& f, push_gradients& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("at", x.at), f.field("block", x.block),
                              f.field("node", x.node), f.field("micro_batches", x.micro_batches),
                              f.field("gradient", x.gradient));
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
  uint64_t micro_batches = 0; ///< of the whole step
  std::vector<micro_batch_result> results;
  uint64_t dropped = 0; ///< messages this incarnation has dropped so far (I13)
  attempt number;       ///< of the lease

  template <class Inspector>
  friend bool inspect(Inspector& f, micro_batches_done& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("at", x.at), f.field("micro_batches", x.micro_batches),
                              f.field("results", x.results), f.field("dropped", x.dropped),
                              f.field("number", x.number));
  }
};

/// Squared norm of a block's summed gradient, in double, in an order that does not depend on threads.
struct block_norm {
  block_id block;
  double squared = 0;
  bool finite = true;

  template <class Inspector>
  friend bool inspect(Inspector& f, block_norm& x) {
    return f.object(x).fields(f.field("block", x.block), f.field("squared", x.squared), f.field("finite", x.finite));
  }
};

/// shard_holder → coordinator: every contribution to its blocks of step `at` is in. Repeated until the step commits.
struct shard_summed {
  origin from;
  step at;
  std::vector<block_norm> norms;

  template <class Inspector>
  friend bool inspect(Inspector& f, shard_summed& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("at", x.at), f.field("norms", x.norms));
  }
};

/// coordinator → shard_holder: step `at` commits: apply it once (R4). A holder that is past it ignores it.
struct commit_step {
  troupe::view view;
  step at;
  float learning_rate = 0;
  float scale = 1;   ///< of the gradient, from clipping by the global norm
  bool skip = false; ///< the gradient is not finite: count the step and change nothing (T6, I11)

  bool operator==(const commit_step&) const = default;

  template <class Inspector>
  friend bool inspect(Inspector& f, commit_step& x) {
    return f.object(x).fields(f.field("view", x.view), f.field("at", x.at), f.field("learning_rate", x.learning_rate),
                              f.field("scale", x.scale), f.field("skip", x.skip));
  }
};

/// shard_holder → agents: the shard's blocks after `version` updates, one behind the other in block order.
struct parameters {
  origin from;
  step version;
  payload values; ///< (floats of the shard) f32

  template <class Inspector>
  friend bool inspect(Inspector& f, parameters& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("version", x.version), f.field("values", x.values));
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

// -- state ------------------------------------------------------------------------------------------------------------

/// coordinator → shard_holder: start from here. Answered by unit when it is in place.
struct load_shard {
  troupe::view view;
  step version;
  payload values;             ///< (floats of the shard) f32
  std::vector<payload> state; ///< of the optimiser, same shape each; empty: all zero

  template <class Inspector>
  friend bool inspect(Inspector& f, load_shard& x) {
    return f.object(x).fields(f.field("view", x.view), f.field("version", x.version), f.field("values", x.values),
                              f.field("state", x.state));
  }
};

/// coordinator → shard_holder: asks for a copy of the shard as of `version`, which is the holder's own version when the
/// request follows the commit that made it. Answered by `shard_snapshot`.
struct take_snapshot {
  troupe::view view;
  step version;
  bool with_state = true;

  template <class Inspector>
  friend bool inspect(Inspector& f, take_snapshot& x) {
    return f.object(x).fields(f.field("view", x.view), f.field("version", x.version),
                              f.field("with_state", x.with_state));
  }
};

/// shard_holder → coordinator, answer to `take_snapshot`.
struct shard_snapshot {
  step version;
  payload values;
  std::vector<payload> state;

  template <class Inspector>
  friend bool inspect(Inspector& f, shard_snapshot& x) {
    return f.object(x).fields(f.field("version", x.version), f.field("values", x.values), f.field("state", x.state));
  }
};

// -- control ----------------------------------------------------------------------------------------------------------

/// runtime → coordinator: the user wants to stop; finish the step in progress.
struct stop_run {
  bool requested = true;

  template <class Inspector>
  friend bool inspect(Inspector& f, stop_run& x) {
    return f.object(x).fields(f.field("requested", x.requested));
  }
};

// -- evaluation -------------------------------------------------------------------------------------------------------

/// coordinator → agent: loss and accuracy of test samples [first, last) with the parameters of `version`. Answered by
/// `evaluation` once the agent has those parameters.
struct evaluate {
  troupe::view view;
  step version;
  uint64_t first = 0;
  uint64_t last = 0;

  template <class Inspector>
  friend bool inspect(Inspector& f, evaluate& x) {
    return f.object(x).fields(f.field("view", x.view), f.field("version", x.version), f.field("first", x.first),
                              f.field("last", x.last));
  }
};

/// agent → coordinator. Keyed by (version, first, last).
struct evaluation {
  origin from;
  step version;
  uint64_t first = 0;
  uint64_t last = 0;
  double loss_sum = 0;
  int64_t correct = 0;

  template <class Inspector>
  friend bool inspect(Inspector& f, evaluation& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("version", x.version), f.field("first", x.first),
                              f.field("last", x.last), f.field("loss_sum", x.loss_sum), f.field("correct", x.correct));
  }
};

} // namespace troupe
