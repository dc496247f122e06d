#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

namespace troupe {

/// On which node of a job an agent is started: its home, or, while that is in disgrace, the next one that is not. A
/// node is in disgrace for a while after a start there has failed, for twice as long after each further one; so an
/// agent whose host is gone moves, and comes home with a later start when the host is back. Pure: time is handed in
/// (R1, R10).
class node_choice {
public:
  using time_point = std::chrono::steady_clock::time_point;

  static constexpr std::chrono::seconds first_disgrace{1};
  static constexpr std::chrono::seconds longest_disgrace{60};

  /// `nodes`: how many there are, at least 1.
  explicit node_choice(size_t nodes) : nodes_(nodes) {}

  /// Where all are in disgrace: the one for which that ends first.
  [[nodiscard]] size_t pick(size_t home, time_point now) const;
  void failed(size_t node, time_point now);
  void succeeded(size_t node) { nodes_[node] = {}; }

private:
  struct record {
    time_point until{};
    unsigned failures = 0; ///< in a row
  };

  std::vector<record> nodes_;
};

} // namespace troupe
