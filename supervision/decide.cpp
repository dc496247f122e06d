#include "supervision/decide.hpp"

#include <memory>
#include <utility>
#include <variant>

#include "supervision/turn.hpp"

namespace troupe {

supervisor_state::supervisor_state(supervisor_spec the_spec, incarnation first_floor)
  : spec(std::move(the_spec)), window(spec.limit), floor(first_floor) {
  if (spec.strategy == simple_one_for_one) {
    pattern = std::make_shared<child_spec>(spec.children.front());
    return;
  }
  for (const auto& child : spec.children)
    children.add(std::make_shared<child_spec>(child), child.id).number = floor;
}

std::vector<supervisor_action> decide(supervisor_state& state, const supervisor_event& event, time_point now) {
  turn t{state, now};
  std::visit([&](const auto& e) { t.on(e); }, event);
  return t.take();
}

std::vector<child_status> list_children(const supervisor_state& state) {
  std::vector<child_status> result;
  result.reserve(state.children.all().size());
  for (const auto& [position, c] : state.children.all())
    result.push_back({c.id, c.state, c.number, c.spec->restart, c.spec->kind});
  return result;
}

child_counts count_children(const supervisor_state& state) {
  child_counts result;
  result.active = state.children.live();
  for (const auto& [position, c] : state.children.all())
    ++(c.spec->kind == child_kind::supervisor ? result.supervisors : result.workers);
  result.specs = state.spec.strategy == simple_one_for_one ? 1 : state.children.all().size();
  return result;
}

} // namespace troupe
