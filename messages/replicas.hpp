#pragma once

#include <vector>

#include "messages/ids.hpp"
#include "messages/membership.hpp"
#include "messages/payload.hpp"
#include "messages/step_set.hpp"
#include "messages/training.hpp"

namespace troupe {

/// shard_replica → shard_holder: send what you have, and from then on every update; said with each view. A replica that
/// lacks only what the holder still has is sent that.
struct follow_shard {
  origin from;
  bool again = false;  ///< nothing has come for a while
  bool loaded = false; ///< it has parameters
  view since;          ///< in which the run last went back when they were current
  step version;        ///< of those

  template <class Inspector>
  friend bool inspect(Inspector& f, follow_shard& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("again", x.again), f.field("loaded", x.loaded),
                              f.field("since", x.since), f.field("version", x.version));
  }
};

/// shard_holder → shard_replica: parameters and optimiser state as of `applied`.
struct shard_state {
  origin from;
  view since; ///< the view in which the run last went back
  step_set applied;
  payload values;             ///< (floats of the shard) f32
  std::vector<payload> state; ///< same shape each

  template <class Inspector>
  friend bool inspect(Inspector& f, shard_state& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("since", x.since), f.field("applied", x.applied),
                              f.field("values", x.values), f.field("state", x.state));
  }
};

/// shard_holder → shard_replica: the sums of a step's contributions, before the holder says that it has them: so that
/// they are not lost with the holder when the step is committed. Keyed by the step; sent again until they are
/// acknowledged.
struct replicate_sums {
  origin from;
  view since;
  step at;
  std::vector<block_id> blocks; ///< all of the shard
  std::vector<payload> sums;    ///< (floats of the block) f32 each

  template <class Inspector>
  friend bool inspect(Inspector& f, replicate_sums& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("since", x.since), f.field("at", x.at),
                              f.field("blocks", x.blocks), f.field("sums", x.sums));
  }
};

/// shard_replica → shard_holder: these sums are kept, and found by a holder that starts there.
struct sums_replicated {
  origin from;
  view since;
  step at;

  template <class Inspector>
  friend bool inspect(Inspector& f, sums_replicated& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("since", x.since), f.field("at", x.at));
  }
};

/// shard_holder → shard_replica: an update that has been committed. Keyed by its version; sent again until it is
/// acknowledged.
struct replicate_update {
  origin from;
  view since;
  commit_step what;
  std::vector<block_id> blocks; ///< none where the step changes nothing, or where the replica has the sums
  std::vector<payload> sums;    ///< of the contributions to each

  template <class Inspector>
  friend bool inspect(Inspector& f, replicate_update& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("since", x.since), f.field("what", x.what),
                              f.field("blocks", x.blocks), f.field("sums", x.sums));
  }
};

/// shard_replica → shard_holder: nothing is lost of the versions up to this one when the holder is.
struct update_replicated {
  origin from;
  view since;
  step version;

  template <class Inspector>
  friend bool inspect(Inspector& f, update_replicated& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("since", x.since), f.field("version", x.version));
  }
};

/// shard_holder → coordinator: from now on nothing that agents are shown is lost with the holder alone. Said again when
/// an agent pulls.
struct shard_replicated {
  origin from;
  member replica;

  template <class Inspector>
  friend bool inspect(Inspector& f, shard_replicated& x) {
    return f.object(x).fields(f.field("from", x.from), f.field("replica", x.replica));
  }
};

/// coordinator → shard_holder: end as soon as the replica has everything; the next incarnation starts where that is.
/// coordinator → shard_replica: end; the next incarnation starts elsewhere.
struct hand_over_shard {
  fencing_token token; ///< of the lock on the shard, for its `fence`

  template <class Inspector>
  friend bool inspect(Inspector& f, hand_over_shard& x) {
    return f.object(x).fields(f.field("token", x.token));
  }
};

} // namespace troupe
