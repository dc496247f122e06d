#include "supervision/supervisor_actor.hpp"

#include <caf/actor_system.hpp>
#include <caf/exit_reason.hpp>

#include <algorithm>
#include <exception>
#include <fmt/format.h>
#include <variant>

#include "messages/canary.hpp"
#include "messages/registry.hpp"
#include "supervision/exit_reason.hpp"

namespace troupe {

namespace {

/// A state that failed has named them itself (T7).
void add_last_messages(exit_cause& cause, const recent_messages* of) {
  if (!of || cause.is_clean() || (!cause.chain.empty() && cause.chain.back().starts_with(last_messages)))
    return;
  if (auto names = of->text(); !names.empty())
    cause.chain.push_back(last_messages + names);
}

supervisor_spec spec_of(const supervisor_config& config) {
  auto spec = config.tree->spec();
  spec.name = config.path;
  for (const auto& node : config.tree->nodes())
    spec.children.push_back(node.spec);
  return spec;
}

} // namespace

supervisor_actor::supervisor_actor(caf::actor_config& cfg, supervisor_config config)
  : caf::event_based_actor(cfg), config_(std::move(config)),
    state_(spec_of(config_), config_.record->floor(config_.path)) {
  for (const auto& node : config_.tree->nodes())
    static_.emplace(node.spec.id, &node);
}

caf::behavior supervisor_actor::make_behavior() {
  keep_ = caf::actor{this};
  config_.record->enter(config_.path, keep_);
  on_exit_message(this, [this](caf::exit_msg& m) {
    auto cause = cause_of(m.reason);
    handle(event::stop{cause.kind == exit_kind::normal ? exit_cause{exit_kind::shutdown, {}} : std::move(cause)});
  });
  run_in(keep_, [this] { handle(event::begin{}); });
  // Everything else arrives as an action; a behaviour keeps the actor alive.
  return {
    [this](caf::get_atom) { return config_.path; },
    [this](const troupe::state_failed& m) {
      handle(event::state_failed{m.child, m.number, cause_of(m.reason)});
    },
  };
}

/// Also where it was killed, which nothing can catch: what it started must not outlive it.
void supervisor_actor::on_exit() {
  for (auto& [id, child] : live_) {
    child.watch.dispose();
    if (child.handle)
      send_exit(child.handle, caf::error{caf::exit_reason::kill});
  }
  live_.clear();
  let_go();
  caf::event_based_actor::on_exit();
}

void supervisor_actor::let_go() {
  wake_.dispose();
  timers_.clear();
  calls_.clear();
  dynamic_.clear();
  if (keep_) {
    config_.record->leave(config_.path, keep_);
    config_.record->note_late_notices(state_.late_notices);
    keep_ = nullptr;
  }
}

// -- events ---------------------------------------------------------------------------------------

void supervisor_actor::handle(supervisor_event event) {
  inbox_.push_back(std::move(event));
  if (busy_)
    return;
  busy_ = true;
  while (!inbox_.empty()) {
    auto next = std::move(inbox_.front());
    inbox_.pop_front();
    auto now = planted(canary::window_on_wall_clock) ? caf::actor_clock::clock_type::now() : system().clock().now();
    for (const auto& a : decide(state_, next, now))
      std::visit([this](const auto& what) { carry_out(what); }, a);
  }
  busy_ = false;
  set_wake();
}

void supervisor_actor::start_child(startable child, child_spec spec, call_ptr call) {
  auto id = spec.id;
  // Where a child of this name exists, `decide` refuses, and the old one keeps its way to start.
  if (!static_.contains(id))
    dynamic_.try_emplace(id, origin{std::move(child.start), {}});
  handle(event::start_child{enter(std::move(call)), std::move(spec)});
  if (!state_.children.find(id))
    dynamic_.erase(id);
}

void supervisor_actor::start_child(caf::message argument, call_ptr call) {
  auto id = state_.pattern ? fmt::format("{}/{}", state_.pattern->id, state_.next_of_template) : std::string{};
  if (state_.pattern)
    dynamic_[id] = origin{config_.tree->nodes().front().start, std::move(argument)};
  handle(event::start_from_template{enter(std::move(call))});
  if (!state_.children.find(id))
    dynamic_.erase(id);
}

void supervisor_actor::terminate_child(std::string id, call_ptr call) {
  handle(event::terminate_child{enter(std::move(call)), std::move(id)});
}

void supervisor_actor::restart_child(std::string id, call_ptr call) {
  handle(event::restart_child{enter(std::move(call)), std::move(id)});
}

void supervisor_actor::delete_child(std::string id, call_ptr call) {
  handle(event::delete_child{enter(std::move(call)), std::move(id)});
}

void supervisor_actor::child_ready(const std::string& id, incarnation number, const caf::actor& child) {
  if (!child)
    return child_failed(id, number, {exit_kind::error, {"it was reported ready with an empty handle"}});
  auto* entry = find(id, number);
  if (entry && !entry->handle)
    watch(id, *entry, child);
  else if (!entry || entry->handle != child) // its start was given up meanwhile, or there is one already (T2)
    send_exit(child, caf::error{caf::exit_reason::kill});
  handle(event::child_ready{id, number});
}

/// Nobody can tell any more what becomes of this child: it counts as ended, and what arrives of it later is late (R8).
void supervisor_actor::child_lost(const std::string& id, incarnation number, exit_cause cause) {
  if (auto* entry = find(id, number)) {
    entry->watch.dispose();
    if (entry->handle)
      send_exit(entry->handle, caf::error{caf::exit_reason::kill}); // should it come back
    live_.erase(id);
  }
  handle(event::child_ended{id, number, std::move(cause)});
}

void supervisor_actor::child_failed(const std::string& id, incarnation number, exit_cause cause) {
  if (auto* entry = find(id, number); entry && !entry->handle)
    live_.erase(id);
  else if (entry) // its own end will tell
    return;
  handle(event::child_ended{id, number, std::move(cause)});
}

// -- actions --------------------------------------------------------------------------------------

void supervisor_actor::carry_out(const action::start& a) {
  config_.record->raise_floor(config_.path, a.number);
  auto& entry = live_.insert_or_assign(a.id, live_child{a.number, {}, {}, {}}).first->second;
  exit_cause failed{exit_kind::error, {}};
  try {
    auto result = call_start(a.id, a.number, entry.recent);
    if (result.child())
      watch(a.id, entry, result.child());
    if (result.is_ready() && result.child())
      inbox_.push_back(event::child_ready{a.id, a.number});
    else if (result.is_ready())
      failed.chain = {"its start function returned an empty handle: return the failure, or started::later()"};
    else if (result.why())
      failed.chain = {result.why()->sentence};
  } catch (const std::exception& e) {
    failed = {exit_kind::exception, {fmt::format("its start function threw: {}", e.what())}};
  }
  if (!failed.chain.empty()) {
    live_.erase(a.id);
    inbox_.push_back(event::child_ended{a.id, a.number, std::move(failed)});
  }
}

started supervisor_actor::call_start(const std::string& id, incarnation number,
                                     std::shared_ptr<recent_messages>& recent) {
  start_context context{system(), id, number, {}, start_notice{keep_, id, number}, {}};
  auto it = static_.find(id);
  if (it == static_.end() || !it->second->tree) {
    if (it == static_.end())
      context.argument = dynamic_.at(id).argument;
    auto result = it == static_.end() ? dynamic_.at(id).start(context) : it->second->start(context);
    recent = std::move(context.recent);
    return result;
  }
  const auto& node = *it->second;
  return started::later(spawn_supervisor(
    system(), {.tree = node.tree,
               .path = config_.path + '/' + id,
               .record = config_.record,
               .on_ready = [notice = context.notice](const caf::actor& self) { notice.ready(self); }}));
}

void supervisor_actor::watch(const std::string& id, live_child& child, const caf::actor& handle_of_child) {
  child.handle = handle_of_child;
  auto who = handle_of_child.address();
  child.watch =
    troupe::monitor(this, handle_of_child, [this, id, who, number = child.number](const caf::error& reason) {
      auto ended = number;
      auto cause = cause_of(reason);
      if (auto it = live_.find(id); it != live_.end() && it->second.handle && it->second.handle.address() == who) {
        ended = it->second.number; // a later one, if its state was replaced
        add_last_messages(cause, it->second.recent.get());
        live_.erase(it);
      }
      handle(event::child_ended{id, ended, std::move(cause)});
    });
}

void supervisor_actor::carry_out(const action::ask_stop& a) {
  auto* entry = find(a.id, a.number);
  if (entry && entry->handle) {
    send_exit(entry->handle, caf::error{caf::exit_reason::user_shutdown});
  } else if (entry) { // nothing to wait for; should it arrive, it is ended
    live_.erase(a.id);
    inbox_.push_back(event::child_ended{a.id, a.number, {exit_kind::shutdown, {}}});
  }
}

void supervisor_actor::carry_out(const action::kill& a) {
  auto* entry = find(a.id, a.number);
  if (entry && entry->handle) {
    send_exit(entry->handle, caf::error{caf::exit_reason::kill});
  } else if (entry) {
    live_.erase(a.id);
    inbox_.push_back(event::child_ended{a.id, a.number, {exit_kind::kill, {}}});
  }
}

void supervisor_actor::carry_out(const action::replace_state& a) {
  config_.record->raise_floor(config_.path, a.next);
  if (auto* entry = find(a.id, a.number)) {
    entry->number = a.next;
    troupe::anon_send(entry->handle, troupe::replace_state{a.next});
  }
}

void supervisor_actor::carry_out(const action::replace_again& a) {
  if (auto* entry = find(a.id, a.number); entry && entry->handle)
    troupe::anon_send(entry->handle, troupe::replace_state{a.number});
}

void supervisor_actor::carry_out(const action::end_failed& a) {
  if (auto* entry = find(a.id, a.number); entry && entry->handle)
    send_exit(entry->handle, reason_of(a.cause));
}

void supervisor_actor::carry_out(const action::set_timer& a) {
  if (a.delay == nanoseconds{0}) {
    run_in(keep_, [this, token = a.token] { handle(event::timer_fired{token}); });
    return;
  }
  timers_.set(a.token, system().clock().now() + a.delay);
}

void supervisor_actor::carry_out(const action::cancel_timer& a) {
  timers_.cancel(a.token);
}

/// After each event: most timers are cancelled before they are due, those of quick starts within the same event.
void supervisor_actor::set_wake() {
  auto first = timers_.first();
  if (!first) {
    wake_.dispose();
    wakes_at_.reset();
  } else if (!wakes_at_ || *first < *wakes_at_) {
    wake_.dispose();
    wakes_at_ = first;
    wake_ = run_after(this, std::max(*first - system().clock().now(), nanoseconds{0}), [this] { wake(); });
  }
}

void supervisor_actor::wake() {
  wakes_at_.reset();
  while (auto token = timers_.next_due(system().clock().now()))
    handle(event::timer_fired{*token});
  set_wake();
}

void supervisor_actor::carry_out(const action::answer& a) {
  if (auto it = calls_.find(a.call); it != calls_.end()) {
    auto call = std::move(it->second);
    calls_.erase(it);
    call->answer(a.result);
  }
}

void supervisor_actor::carry_out(const action::report& a) {
  config_.record->note(a.what);
}

void supervisor_actor::carry_out(const action::forget& a) {
  static_.erase(a.id);
  dynamic_.erase(a.id);
}

void supervisor_actor::carry_out(const action::ready&) {
  if (config_.on_ready)
    config_.on_ready(keep_);
}

void supervisor_actor::carry_out(const action::finish& a) {
  let_go();
  quit(reason_of(a.cause));
}

// -- bookkeeping ----------------------------------------------------------------------------------

supervisor_actor::live_child* supervisor_actor::find(const std::string& id, incarnation number) {
  auto it = live_.find(id);
  return it != live_.end() && it->second.number == number ? &it->second : nullptr;
}

uint64_t supervisor_actor::enter(call_ptr call) {
  auto number = next_call_++;
  calls_.emplace(number, std::move(call));
  return number;
}

caf::actor spawn_supervisor(caf::actor_system& system, supervisor_config config) {
  return caf::actor_cast<caf::actor>(system.spawn<supervisor_actor>(std::move(config)));
}

} // namespace troupe
