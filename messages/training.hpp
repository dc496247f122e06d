#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/ids.hpp"
#include "messages/payload.hpp"
#include "messages/step_set.hpp"

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
  troupe::view crew_since; ///< the view in which agents, ring peers or brokers last changed: rings are as old as this

  template <class Inspector>
  friend bool inspect(Inspector& f, view_changed& x) {
    return f.object(x).fields(f.field("number", x.number), f.field("current", x.current), f.field("members", x.members),
                              f.field("rewound", x.rewound), f.field("crew_since", x.crew_since));
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

/// agent → data_broker: asks for its part of `at`, or, where a step is one agent's work, for a whole step, `at` or
/// later. Answered by a `lease`, at once or when there is work. Says what the agent knows to have taken effect, in case
/// the coordinator's word of it was lost.
struct request_lease {
  origin from;
  step at;
  step_set applied;
  double micro_batch_seconds = 0; ///< what a micro-batch has taken this agent lately; 0: it does not know

  template <class Inspector>
  friend bool inspect(Inspector& f, request_lease& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("at", x.at), f.field("applied", x.applied),
                              f.field("micro_batch_seconds", x.micro_batch_seconds));
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

/// ring_peer → data_broker: who contributes what to `at`, with the members as of `crew_since`? Answered by a
/// `step_plan`, at once or when the broker knows of that view.
struct request_plan {
  origin from;
  step at;
  view crew_since;

  template <class Inspector>
  friend bool inspect(Inspector& f, request_plan& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("at", x.at), f.field("crew_since", x.crew_since));
  }
};

/// Micro-batches [first, last) of a step, and the rank of the agent that has leased them.
struct plan_part {
  uint64_t first = 0;
  uint64_t last = 0;
  uint32_t rank = 0;

  auto operator<=>(const plan_part&) const = default;

  template <class Inspector>
  friend bool inspect(Inspector& f, plan_part& x) {
    return f.object(x).fields(f.field("first", x.first), f.field("last", x.last), f.field("rank", x.rank));
  }
};

/// data_broker → ring_peer: all leases of `at` while the members are those of `crew_since`. There is one such plan.
struct step_plan {
  step at;
  view crew_since;
  uint64_t micro_batches = 0;
  std::vector<plan_part> parts;

  template <class Inspector>
  friend bool inspect(Inspector& f, step_plan& x) {
    return f.object(x).fields(f.field("at", x.at), f.field("crew_since", x.crew_since),
                              f.field("micro_batches", x.micro_batches), f.field("parts", x.parts));
  }
};

// -- a step -----------------------------------------------------------------------------------------------------------

/// agent → shard_holder: the gradient of one block, summed over the micro-batches of `node`, each sample weighted
/// 1/samples of the step. Keyed by (step, block, node): a copy, or a part of what is there already, counts once (R5).
struct push_gradients {
  origin from;
  step at;
  step base; ///< version of the parameters it was computed with
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

/// shard_holder → agents: the sum of a block is not finite, so what was contributed to it counts no more (T6). An agent
/// pushes its own part again; one that is not finite it computes again first. Said again when an agent pulls.
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

  template <class Inspector>
  friend bool inspect(Inspector& f, block_norm& x) {
    return f.object(x).fields(f.field("block", x.block), f.field("squared", x.squared), f.field("finite", x.finite));
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

  bool operator==(const commit_step&) const = default;

  template <class Inspector>
  friend bool inspect(Inspector& f, commit_step& x) {
    return f.object(x).fields(f.field("view", x.view), f.field("at", x.at), f.field("version", x.version),
                              f.field("learning_rate", x.learning_rate), f.field("scale", x.scale),
                              f.field("skip", x.skip), f.field("crew_since", x.crew_since));
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

/// ring_peer → the next one in the ring: a chunk of a bucket of the gradient of step `at`. Keyed by all that names it:
/// a copy counts once.
struct ring_chunk {
  origin from;
  step at;
  view crew_since;     ///< the ring it goes around
  bool gather = false; ///< the whole sum (all-gather), else the sum over the peers so far (reduce-scatter)
  uint32_t bucket = 0;
  uint32_t chunk = 0;
  uint64_t covered = 0; ///< micro-batches in it
  payload values;       ///< (floats of the chunk) f32

  template <class Inspector>
  friend bool inspect(Inspector& f, ring_chunk& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("at", x.at), f.field("crew_since", x.crew_since),
                              f.field("gather", x.gather), f.field("bucket", x.bucket), f.field("chunk", x.chunk),
                              f.field("covered", x.covered), f.field("values", x.values));
  }
};

// -- state ------------------------------------------------------------------------------------------------------------

/// coordinator → shard_holder: start from here. Answered by unit when it is in place.
struct load_shard {
  troupe::view since; ///< the view in which the run last went back: what was begun before is void
  step version;
  payload values;             ///< (floats of the shard) f32
  std::vector<payload> state; ///< of the optimiser, same shape each; empty: all zero

  template <class Inspector>
  friend bool inspect(Inspector& f, load_shard& x) {
    return f.object(x).fields(f.field("since", x.since), f.field("version", x.version), f.field("values", x.values),
                              f.field("state", x.state));
  }
};

/// coordinator → shard_holder, ring_peer; ring_peer → ring_peer: asks for a copy of what it holds as of `version`,
/// which is the holder's own version when the request follows the commit that made it. Answered by `shard_snapshot`.
struct take_snapshot {
  troupe::view view; ///< whoever answers has to have seen it; 0: no matter
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
