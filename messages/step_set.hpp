#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "messages/ids.hpp"

namespace troupe {

/// Which steps have taken effect: all below `floor`, and those in `above`. Where steps commit in their order, as they
/// do unless the run is asynchronous, `above` is empty.
struct step_set {
  step floor;
  std::vector<step> above; ///< ascending, each higher than `floor`

  auto operator<=>(const step_set&) const = default;

  [[nodiscard]] bool contains(step s) const { return s < floor || std::binary_search(above.begin(), above.end(), s); }

  /// How many they are: the version of the parameters that they have made.
  [[nodiscard]] step version() const { return {floor.value + above.size()}; }

  void insert(step s) {
    if (contains(s))
      return;
    above.insert(std::upper_bound(above.begin(), above.end(), s), s);
    auto passed = above.begin();
    for (; passed != above.end() && *passed == floor; ++passed)
      floor = floor.next();
    above.erase(above.begin(), passed);
  }

  /// Adds what is known elsewhere.
  void merge(const step_set& other) {
    auto more = other.above;
    if (other.floor > floor) {
      more.insert(more.end(), above.begin(), above.end());
      floor = other.floor;
      above.clear();
      std::sort(more.begin(), more.end());
      while (std::find(more.begin(), more.end(), floor) != more.end())
        floor = floor.next();
    }
    for (auto s : more)
      insert(s);
  }

  template <class Inspector>
  friend bool inspect(Inspector& f, step_set& x) {
    return f.object(x).fields(f.field("floor", x.floor), f.field("above", x.above));
  }
};

} // namespace troupe
