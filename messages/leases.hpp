#pragma once

#include <cstdint>

#include "messages/ids.hpp"
#include "messages/membership.hpp"
#include "messages/step_set.hpp"

namespace troupe {

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

/// agent → data_broker: it has done all that it was leased of `at` and has time. Answered by a `lease` if another one
/// gives up a part of its own.
struct offer_help {
  origin from;
  step at;
  double micro_batch_seconds = 0; ///< what a micro-batch has taken it lately; 0: it does not know

  template <class Inspector>
  friend bool inspect(Inspector& f, offer_help& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("at", x.at),
                              f.field("micro_batch_seconds", x.micro_batch_seconds));
  }
};

/// data_broker → agent: another one has done its part of `at` and has time. Answered by `lease_split`.
struct split_lease {
  step at;
  double micro_batch_seconds = 0; ///< what a micro-batch takes the other one; 0: not known

  template <class Inspector>
  friend bool inspect(Inspector& f, split_lease& x) {
    return f.object(x).fields(f.field("at", x.at), f.field("micro_batch_seconds", x.micro_batch_seconds));
  }
};

/// agent → data_broker: of its micro-batches [first, last) of `at` it computes those before `kept`, and has not begun
/// the others. `kept` == `last`: it gives up nothing.
struct lease_split {
  origin from;
  step at;
  uint64_t first = 0;
  uint64_t kept = 0;
  uint64_t last = 0;

  template <class Inspector>
  friend bool inspect(Inspector& f, lease_split& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("at", x.at), f.field("first", x.first),
                              f.field("kept", x.kept), f.field("last", x.last));
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

} // namespace troupe
