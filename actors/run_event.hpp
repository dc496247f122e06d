#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace troupe {

/// What happens to the participants of a run, told as it happens: when something goes wrong, these are its phases.
struct run_event {
  enum class kind : uint8_t {
    unreachable, ///< nothing was heard of `who` for so long that others take over its work
    reachable,   ///< it has answered again
    dead,        ///< it was given up
    ended,       ///< it has ended, and its supervisor has decided what becomes of it
    waits,       ///< there is no place for it: it starts when there is one
    new_view,    ///< the view of this number was published
  };

  kind what = kind::new_view;
  std::string who;    ///< "agent/1"; of a view: empty
  uint64_t number;    ///< of the incarnation or the view
  std::string detail; ///< how it ended and what was decided; of a view: the members
};

} // namespace troupe
