#include "supervision/children.hpp"

#include <array>
#include <utility>

namespace troupe {

std::string_view to_string(child_state state) {
  constexpr std::array<std::string_view, 6> names{"stopped",  "waiting", "restarting",
                                                  "starting", "running", "stopping"};
  return names.at(static_cast<size_t>(state));
}

child_record& child_table::add(std::shared_ptr<const child_spec> spec, std::string id) {
  auto position = next_position_++;
  auto& record = records_.emplace_hint(records_.end(), position, child_record{})->second;
  by_id_.emplace(id, &record);
  record.id = std::move(id);
  record.spec = std::move(spec);
  record.position = position;
  return record;
}

void child_table::erase(uint64_t position) {
  auto it = records_.find(position);
  set_state(it->second, child_state::stopped);
  by_id_.erase(it->second.id);
  records_.erase(it);
}

child_record* child_table::find(const std::string& id) {
  auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : it->second;
}

void child_table::set_state(child_record& child, child_state state) {
  live_ -= child.is_live() ? 1 : 0;
  stopping_ -= child.state == child_state::stopping ? 1 : 0;
  child.state = state;
  live_ += child.is_live() ? 1 : 0;
  stopping_ += child.state == child_state::stopping ? 1 : 0;
}

} // namespace troupe
