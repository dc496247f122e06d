#pragma once

#include <vector>

#include "messages/ids.hpp"
#include "messages/payload.hpp"

namespace troupe {

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

/// coordinator → shard_holder, ring_peer, gossip_peer; peer → peer: asks for a copy of what it holds as of `version`,
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

} // namespace troupe
