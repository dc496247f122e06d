#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace troupe {

/// On which node of a job an agent is started: its home, or, while that is in disgrace or has no place for it, the next
/// one that is not, or none for now. A node is in disgrace for a while after a start there has failed or an agent there
/// was lost, for twice as long after each further time; so an agent whose host is gone moves, and comes home with a
/// later start when the host is back. A node that has no place for an agent, being full or out of reach, is asked by
/// that agent again after a pause that doubles, too, but stays short. Pure: time is handed in (R1, R10).
class node_choice {
public:
  using time_point = std::chrono::steady_clock::time_point;

  static constexpr std::chrono::milliseconds first_disgrace{1000};
  static constexpr std::chrono::milliseconds longest_disgrace{60'000};
  static constexpr std::chrono::milliseconds first_pause{500};
  static constexpr std::chrono::milliseconds longest_pause{3000};

  /// `nodes`: how many there are, at least 1. `homes`, by agent: which of them it is; the others' go around the nodes.
  explicit node_choice(size_t nodes, std::vector<uint32_t> homes = {}) : nodes_(nodes), homes_(std::move(homes)) {}

  struct choice {
    std::optional<size_t> node; ///< none: wait
    time_point until{};         ///< when to choose again, then
  };

  /// Its home, or the next one that has not refused it; else the one that did so longest ago.
  [[nodiscard]] choice pick(uint32_t agent, time_point now) const;
  /// It has no place for that agent.
  void refused(uint32_t agent, size_t node, time_point now);
  void failed(size_t node, time_point now);
  void succeeded(uint32_t agent, size_t node);

private:
  struct record {
    time_point until{};
    unsigned times = 0; ///< in a row
    void again(std::chrono::milliseconds first, std::chrono::milliseconds longest, time_point now);
  };

  std::vector<record> nodes_;
  std::vector<uint32_t> homes_;
  std::map<std::pair<uint32_t, size_t>, record> refusals_; ///< by agent and node; of agents that wait
};

} // namespace troupe
