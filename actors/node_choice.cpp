#include "actors/node_choice.hpp"

#include <algorithm>

namespace troupe {

size_t node_choice::pick(size_t home, time_point now) const {
  auto best = home % nodes_.size();
  for (size_t i = 0; i < nodes_.size(); ++i) {
    auto each = (home + i) % nodes_.size();
    if (nodes_[each].until <= now)
      return each;
    if (nodes_[each].until < nodes_[best].until)
      best = each;
  }
  return best;
}

void node_choice::failed(size_t node, time_point now) {
  auto& r = nodes_[node];
  auto disgrace = first_disgrace;
  for (unsigned i = 0; i < r.failures && disgrace < longest_disgrace; ++i)
    disgrace *= 2;
  ++r.failures;
  r.until = now + std::min(disgrace, longest_disgrace);
}

} // namespace troupe
