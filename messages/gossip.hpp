#pragma once

#include <cstdint>
#include <vector>

#include "messages/ids.hpp"
#include "messages/membership.hpp"
#include "messages/payload.hpp"

namespace troupe {

/// gossip_peer → its partners of step `at`, one of the others or all of them: a bucket of its own parameters after its
/// own update, to take the mean of. Keyed by all that names it: a copy counts once.
struct gossip_parameters {
  origin from;
  step at;
  view crew_since; ///< the members among whom the partners were chosen
  uint32_t bucket = 0;
  payload values;             ///< (floats of the bucket) f32
  std::vector<payload> state; ///< of the optimiser, same shape each; only before a checkpoint

  template <class Inspector>
  friend bool inspect(Inspector& f, gossip_parameters& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("at", x.at), f.field("crew_since", x.crew_since),
                              f.field("bucket", x.bucket), f.field("values", x.values), f.field("state", x.state));
  }
};

} // namespace troupe
