// The dynamic API (S8).

#include <fmt/format.h>
#include <utility>

#include "supervision/turn.hpp"

namespace troupe {

using phase = supervisor_state::phase;

std::string_view to_string(call_error error) {
  switch (error) {
  case call_error::not_found:
    return "not_found";
  case call_error::already_present:
    return "already_present";
  case call_error::already_started:
    return "already_started";
  case call_error::running:
    return "running";
  case call_error::restarting:
    return "restarting";
  case call_error::bad_spec:
    return "bad_spec";
  case call_error::wrong_strategy:
    return "wrong_strategy";
  case call_error::start_failed:
    return "start_failed";
  case call_error::terminated:
    return "terminated";
  case call_error::stopping:
    return "stopping";
  }
  return "unknown";
}

void turn::on(const event::start_child& e) {
  const auto& id = e.spec.id;
  if (s_.now_in == phase::finishing || s_.now_in == phase::finished)
    return refuse(e.call, id, call_error::stopping, "the supervisor is ending");
  if (is_simple())
    return refuse(e.call, id, call_error::wrong_strategy,
                  "a simple_one_for_one supervisor starts children of its template");
  if (auto ok = validate(e.spec, s_.spec); !ok)
    return refuse(e.call, id, call_error::bad_spec, ok.error().sentence);
  if (auto* c = s_.children.find(id)) {
    bool stopped = c->state == child_state::stopped;
    return refuse(
      e.call, id, stopped ? call_error::already_present : call_error::already_started,
      fmt::format("there is a child {}: {}", id, stopped ? "restart or delete it" : "terminate and delete it first"));
  }
  add_and_start(e.call, std::make_shared<child_spec>(e.spec), id);
}

void turn::on(const event::start_from_template& e) {
  if (s_.now_in == phase::finishing || s_.now_in == phase::finished)
    return refuse(e.call, "", call_error::stopping, "the supervisor is ending");
  if (!is_simple())
    return refuse(e.call, "", call_error::wrong_strategy, "only a simple_one_for_one supervisor has a template");
  add_and_start(e.call, s_.pattern, fmt::format("{}/{}", s_.pattern->id, s_.next_of_template++));
}

void turn::add_and_start(uint64_t call, std::shared_ptr<const child_spec> spec, std::string id) {
  auto& c = s_.children.add(std::move(spec), std::move(id));
  c.being_added = true;
  c.number = s_.floor;
  c.start_call = call;
  if (is_group() || s_.now_in != phase::running) {
    s_.children.set_state(c, child_state::waiting);
    s_.to_start.insert(c.position);
  } else {
    start(c);
  }
}

void turn::on(const event::terminate_child& e) {
  auto* c = look_up(e.call, e.id);
  if (!c)
    return;
  refuse_start(*c, call_error::terminated, "it was terminated before it was ready");
  s_.to_start.erase(c->position);
  c->overdue = false;
  c->stop_calls.push_back(e.call);
  if (!c->is_live()) {
    disarm(*c);
    settle(*c);
  } else if (c->state != child_state::stopping && !s_.to_stop.contains(c->position)) {
    begin_stop(*c);
  }
}

void turn::on(const event::restart_child& e) {
  auto* c = look_up(e.call, e.id);
  if (!c)
    return;
  if (is_simple())
    return refuse(e.call, e.id, call_error::wrong_strategy, "a template's child is started anew instead of restarted");
  if (c->is_live())
    return refuse(e.call, e.id, call_error::running, fmt::format("{} is {}", e.id, to_string(c->state)));
  if (c->state != child_state::stopped)
    return refuse(e.call, e.id, call_error::restarting, fmt::format("{} is about to start", e.id));
  c->start_call = e.call;
  c->restarts = 0;
  if (is_group()) {
    s_.children.set_state(*c, child_state::waiting);
    s_.to_start.insert(c->position);
  } else {
    start(*c);
  }
}

void turn::on(const event::delete_child& e) {
  auto* c = look_up(e.call, e.id);
  if (!c)
    return;
  if (is_simple())
    return refuse(e.call, e.id, call_error::wrong_strategy, "a template's child leaves no spec to delete");
  if (c->is_live())
    return refuse(e.call, e.id, call_error::running,
                  fmt::format("{} is {}: terminate it first", e.id, to_string(c->state)));
  if (c->state != child_state::stopped)
    return refuse(e.call, e.id, call_error::restarting, fmt::format("{} is about to start: terminate it first", e.id));
  answer(e.call, *c);
  forget(*c);
}

child_record* turn::look_up(uint64_t call, const std::string& id) {
  if (s_.now_in == phase::finishing || s_.now_in == phase::finished) {
    refuse(call, id, call_error::stopping, "the supervisor is ending");
    return nullptr;
  }
  auto* c = s_.children.find(id);
  if (!c)
    refuse(call, id, call_error::not_found, fmt::format("supervisor {} has no child {}", s_.spec.name, id));
  return c;
}

void turn::answer(uint64_t call, const child_record& c) {
  out_.push_back(action::answer{call, {{}, c.id, c.number, {}}});
}

void turn::refuse(uint64_t call, const std::string& id, call_error error, std::string sentence) {
  out_.push_back(action::answer{call, {error, id, {}, std::move(sentence)}});
}

void turn::refuse_start(child_record& c, call_error error, std::string sentence) {
  c.being_added = false;
  if (c.start_call != 0)
    refuse(std::exchange(c.start_call, 0), c.id, error, std::move(sentence));
}

} // namespace troupe
