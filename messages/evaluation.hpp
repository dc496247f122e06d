#pragma once

#include <cstdint>

#include "messages/ids.hpp"
#include "messages/membership.hpp"

namespace troupe {

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
