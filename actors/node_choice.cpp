#include "actors/node_choice.hpp"

#include <algorithm>

namespace troupe {

node_choice::choice node_choice::pick(uint32_t agent, time_point now) const {
  auto best = choice{std::nullopt, time_point::max()};
  auto asked = time_point::max(); // when that pause is over, of the best
  const auto home = agent < homes_.size() ? homes_[agent] : agent;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    auto node = (home + i) % nodes_.size();
    auto refusal = refusals_.find({agent, node});
    auto pause = refusal == refusals_.end() ? time_point{} : refusal->second.until;
    auto until = std::max(nodes_[node].until, pause);
    if (until <= now && pause < asked) {
      best = {node, now};
      asked = pause;
    } else if (!best.node) {
      best.until = std::min(best.until, until);
    }
  }
  return best;
}

void node_choice::record::again(std::chrono::milliseconds first, std::chrono::milliseconds longest, time_point now) {
  auto pause = first;
  for (unsigned i = 0; i < times && pause < longest; ++i)
    pause *= 2;
  ++times;
  until = now + std::min(pause, longest);
}

void node_choice::refused(uint32_t agent, size_t node, time_point now) {
  refusals_[{agent, node}].again(first_pause, longest_pause, now);
}

void node_choice::failed(size_t node, time_point now) {
  nodes_[node].again(first_disgrace, longest_disgrace, now);
}

void node_choice::succeeded(uint32_t agent, size_t node) {
  nodes_[node] = {};
  std::erase_if(refusals_, [&](auto& each) { return each.first.first == agent; });
}

} // namespace troupe
