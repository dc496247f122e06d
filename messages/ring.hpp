#pragma once

#include <cstdint>
#include <vector>

#include "messages/ids.hpp"
#include "messages/membership.hpp"
#include "messages/payload.hpp"

namespace troupe {

/// ring_peer, gossip_peer, aggregator → data_broker: who contributes what to `at`, with the members as of `crew_since`?
/// Answered by a `step_plan`, at once or when the broker knows of that view.
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

/// data_broker → ring_peer, gossip_peer, aggregator: all leases of `at` while the members are those of `crew_since`.
/// There is one such plan.
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

/// ring_peer → the one that needs it in a round of the bucket's schedule: a chunk of a bucket of the gradient of step
/// `at`. Keyed by all that names it: a copy counts once.
struct ring_chunk {
  origin from;
  step at;
  view crew_since;    ///< the ring whose peers reduce it
  uint32_t round = 0; ///< of the chunk's way through the peers, see `exchange`
  uint32_t bucket = 0;
  uint32_t chunk = 0;
  uint64_t covered = 0; ///< micro-batches in it
  payload values;       ///< (floats of the chunk) f32

  template <class Inspector>
  friend bool inspect(Inspector& f, ring_chunk& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("at", x.at), f.field("crew_since", x.crew_since),
                              f.field("round", x.round), f.field("bucket", x.bucket), f.field("chunk", x.chunk),
                              f.field("covered", x.covered), f.field("values", x.values));
  }
};

} // namespace troupe
