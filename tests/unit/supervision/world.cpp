#include "world.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>
#include <stdexcept>

namespace troupe::testing {

world::world(supervisor_spec spec, incarnation floor) : state(std::move(spec), floor) {}

world& world::tell(supervisor_event event) {
  next_.push_back(std::move(event));
  for (size_t i = 0; i < next_.size(); ++i) {
    auto e = next_[i];
    for (const auto& a : decide(state, e, now))
      std::visit([this](const auto& what) { carry_out(what); }, a);
  }
  next_.clear();
  return *this;
}

world& world::die(const std::string& id, exit_kind kind, std::string why) {
  auto number = alive_.at(id);
  alive_.erase(id);
  return tell(event::child_ended{id, number, {kind, why.empty() ? strings{} : strings{std::move(why)}}});
}

world& world::fail_state(const std::string& id, exit_kind kind) {
  return tell(event::state_failed{id, alive_.at(id), {kind, {"bad luck"}}});
}

world& world::become_ready(const std::string& id) {
  return tell(event::child_ready{id, alive_.at(id)});
}

world& world::pass(nanoseconds time) {
  auto until = now + time;
  // Those set at `until` while firing wait for the next call: that is the turn of the mailbox (S5).
  std::vector<uint64_t> due;
  for (;;) {
    due.clear();
    for (const auto& [when, token] : timers_)
      if (when <= until && (due.empty() || when <= now))
        now = std::max(now, when), due.push_back(token);
    if (due.empty())
      break;
    for (auto token : due) {
      auto it = std::find_if(timers_.begin(), timers_.end(), [&](const auto& t) { return t.second == token; });
      if (it == timers_.end())
        continue; // cancelled by one before
      timers_.erase(it);
      tell(event::timer_fired{token});
    }
    if (now == until)
      break;
  }
  now = until;
  return *this;
}

call_result world::start_child(child_spec spec) {
  return call(event::start_child{next_call, std::move(spec)});
}

call_result world::start_from_template() {
  return call(event::start_from_template{next_call});
}

call_result world::terminate(const std::string& id) {
  return call(event::terminate_child{next_call, id});
}

call_result world::restart(const std::string& id) {
  return call(event::restart_child{next_call, id});
}

call_result world::remove(const std::string& id) {
  return call(event::delete_child{next_call, id});
}

call_result world::call(supervisor_event event) {
  auto number = next_call++;
  tell(std::move(event));
  auto it = answers.find(number);
  return it == answers.end() ? call_result{{}, "", {}, "not answered yet"} : it->second;
}

strings world::did() {
  return std::exchange(did_, {});
}

strings world::list() const {
  strings result;
  for (const auto& c : list_children(state))
    result.push_back(fmt::format("{} {} #{}", c.id, to_string(c.state), c.number.value));
  return result;
}

std::vector<nanoseconds> world::timers() const {
  std::vector<nanoseconds> result;
  for (const auto& [when, token] : timers_)
    result.push_back(when - now);
  return result;
}

void world::carry_out(const action::start& a) {
  INFO("two incarnations of " << a.id << " at once, or a number that does not rise");
  REQUIRE_FALSE(alive_.contains(a.id));
  REQUIRE(last_[a.id] < a.number);
  last_[a.id] = a.number;
  alive_[a.id] = a.number;
  did_.push_back("start " + a.id);
  if (fails_to_start.contains(a.id))
    end(a.id, a.number, {exit_kind::error, {"no luck"}});
  else if (!never_ready.contains(a.id))
    next_.push_back(event::child_ready{a.id, a.number});
}

void world::carry_out(const action::ask_stop& a) {
  did_.push_back("stop " + a.id);
  if (!ignores_stop.contains(a.id))
    end(a.id, a.number, {exit_kind::shutdown, {}});
}

void world::carry_out(const action::kill& a) {
  did_.push_back("kill " + a.id);
  if (!survives_kill.contains(a.id))
    end(a.id, a.number, {exit_kind::kill, {}});
}

void world::carry_out(const action::replace_state& a) {
  INFO("a state is replaced in the actor that is there, under a number that rises");
  REQUIRE(alive_.at(a.id) == a.number);
  REQUIRE(last_[a.id] < a.next);
  last_[a.id] = alive_[a.id] = a.next;
  did_.push_back("replace " + a.id);
}

void world::carry_out(const action::replace_again& a) {
  INFO("what is said again is what was said");
  REQUIRE(alive_.at(a.id) == a.number);
  did_.push_back("replace " + a.id + " again");
}

void world::carry_out(const action::end_failed& a) {
  did_.push_back("end " + a.id);
  end(a.id, a.number, a.cause);
}

void world::end(const std::string& id, incarnation number, exit_cause why) {
  // One that has ended by itself has sent its notice already.
  if (auto it = alive_.find(id); it != alive_.end() && it->second == number) {
    alive_.erase(it);
    next_.push_back(event::child_ended{id, number, std::move(why)});
  }
}

void world::carry_out(const action::set_timer& a) {
  timers_.emplace(now + a.delay, a.token);
}

void world::carry_out(const action::cancel_timer& a) {
  std::erase_if(timers_, [&](const auto& t) { return t.second == a.token; });
}

void world::carry_out(const action::answer& a) {
  INFO("call " << a.call << " was answered twice");
  REQUIRE(answers.emplace(a.call, a.result).second);
}

void world::carry_out(const action::report& a) {
  reports.push_back(a.what);
}

void world::carry_out(const action::forget&) {}

void world::carry_out(const action::ready&) {
  did_.emplace_back("ready");
}

void world::carry_out(const action::finish& a) {
  cause = a.cause;
  did_.push_back(fmt::format("finish {}", to_string(a.cause.kind)));
  INFO("a supervisor ends only after all its children");
  REQUIRE(state.children.live() == 0);
}

supervisor_spec spec_of(restart_strategy strategy, const strings& ids, restart_type restart, restart_limit limit) {
  supervisor_spec spec{.name = "s", .strategy = strategy, .limit = limit};
  for (const auto& id : ids)
    spec.children.push_back({.id = id, .restart = restart});
  return spec;
}

} // namespace troupe::testing
