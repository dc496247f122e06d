#pragma once

#include <vector>

#include "messages/ids.hpp"

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

/// agent, shard_holder, shard_replica, ring_peer, gossip_peer, data_broker → coordinator: "I am here", when it starts
/// and whenever a coordinator appears. Idempotent; a higher incarnation replaces a lower one.
struct join {
  member who;
  step version;                ///< of the parameters it holds; meaningful for shard holders
  bool loaded = false;         ///< a shard holder or replica that has parameters
  view since = {};             ///< of those: the view in which the run last went back when they were current
  std::vector<step> sums = {}; ///< of which a shard holder has come back with the sum of the gradients

  template <class Inspector>
  friend bool inspect(Inspector& f, join& x) {
    return f.object(x).fields(f.field("who", x.who), f.field("version", x.version), f.field("loaded", x.loaded),
                              f.field("since", x.since), f.field("sums", x.sums));
  }
};

/// coordinator → everyone: the members from now on. Lower numbers than the last seen change nothing.
struct view_changed {
  troupe::view number;
  step current; ///< the step being worked on
  std::vector<member> members;
  troupe::view rewound; ///< the view in which the run last went back to an earlier step; what older views said is void
  troupe::view crew_since; ///< the view in which agents, their peers or brokers last changed: rings are as old as this

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

} // namespace troupe
