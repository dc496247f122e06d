#pragma once

#include <algorithm>
#include <cstdint>

#include "messages/payload.hpp"

namespace troupe {

/// sender of a flow → its receiver: what have you got, and how much may come? Said at the start, when nothing was heard
/// for a while, and when the receiver is reached anew. Answered by `flow_credit`.
struct flow_open {
  uint64_t flow = 0;    ///< which, where a receiver has several
  uint64_t attempt = 0; ///< to tell the answer from earlier ones

  template <class Inspector>
  friend bool inspect(Inspector& f, flow_open& x) {
    return f.object(x).fields(f.field("flow", x.flow), f.field("attempt", x.attempt));
  }
};

/// sender of a flow → its receiver: the next payload, or the end.
struct flow_item {
  uint64_t flow = 0;
  uint64_t number = 0; ///< from 0 on
  bool last = false;   ///< none comes after it; it has no value
  payload value;

  template <class Inspector>
  friend bool inspect(Inspector& f, flow_item& x) {
    return f.object(x).fields(f.field("flow", x.flow), f.field("number", x.number), f.field("last", x.last),
                              f.field("value", x.value));
  }
};

/// receiver of a flow → its sender: so many more bytes may come behind what has been received.
struct flow_credit {
  uint64_t flow = 0;
  uint64_t attempt = 0;  ///< of the last `flow_open`
  uint64_t received = 0; ///< items before this number
  uint64_t taken = 0;    ///< and of these, have been dealt with
  bool ended = false;    ///< the last one is among them
  uint64_t bytes = 0;    ///< of items from `received` on; one of any size may come where all that came has been taken

  template <class Inspector>
  friend bool inspect(Inspector& f, flow_credit& x) {
    return f.object(x).fields(f.field("flow", x.flow), f.field("attempt", x.attempt), f.field("received", x.received),
                              f.field("taken", x.taken), f.field("ended", x.ended), f.field("bytes", x.bytes));
  }
};

/// What an item counts for, whoever counts: one that has next to no bytes takes memory, too.
inline uint64_t flow_cost(uint64_t bytes) {
  return std::max<uint64_t>(bytes, 1024);
}

} // namespace troupe
