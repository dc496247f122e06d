#pragma once

#include <caf/error.hpp>

#include <string>

#include "messages/ids.hpp"

namespace troupe {

/// shell → supervisor: the state of a child failed inside its shell, which waits for `replace_state` or for its end
/// (T3).
struct state_failed {
  std::string child; ///< id
  incarnation number;
  caf::error reason; ///< as an actor's that ends; see supervision/exit_reason.hpp

  template <class Inspector>
  friend bool inspect(Inspector& f, state_failed& x) {
    return f.object(x).fields(f.field("child", x.child), f.field("number", x.number), f.field("reason", x.reason));
  }
};

/// supervisor → shell: go on with a new state, as incarnation `next`.
struct replace_state {
  incarnation next;

  template <class Inspector>
  friend bool inspect(Inspector& f, replace_state& x) {
    return f.object(x).fields(f.field("next", x.next));
  }
};

} // namespace troupe
