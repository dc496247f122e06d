#include "actors/node.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <utility>

#include "actors/link_meter.hpp"
#include "actors/version.hpp"
#include "actors/worker.hpp"
#include "messages/caf.hpp"

namespace troupe {

using namespace std::chrono_literals;

// -- turns ------------------------------------------------------------------------------------------------------------

// Runs `f()` now or, while the workers of a job are being stopped, once they have ended.
template <class F>
void node::once_free(F f) {
  if (now_ && now_->stopping)
    waiting_.emplace_back(std::move(f));
  else
    f();
}

// `f` for other actors to call: it runs in this one, if that still hosts the same job then.
template <class F>
auto node::later(F f) {
  return [this, self = caf::weak_actor_ptr{ctrl()}, job = std::weak_ptr{now_}, f](const auto&... xs) {
    run_in(self, [this, job, f, xs...] {
      if (auto then = job.lock(); then && then == now_)
        f(xs...);
    });
  };
}

// -- what it is asked -------------------------------------------------------------------------------------------------

node_actor::behavior_type node::make_behavior() {
  spawner_ = config_.actors.types.empty() ? home_system().spawn<spawner>(config_.actors)
                                          : home_system().spawn<spawner, caf::detached>(config_.actors);
  on_exit_message(this, [this](caf::exit_msg& m) {
    ending_ = std::move(m.reason);
    if (now_)
      stop_workers();
    else
      quit(std::move(*ending_));
  });
  return {
    [this](const hello& h) -> caf::result<hello> {
      auto answer = make_response_promise<hello>();
      once_free([this, answer, h]() mutable {
        answer.deliver(hello{"troupe", config_.protocol, troupe_version, h.job_id, refusal(h), slots_left()});
      });
      return answer;
    },
    [this](const open_worker& w) -> caf::result<worker_opened> {
      auto answer = make_response_promise<worker_opened>();
      once_free([this, answer, w] { open(answer, w); });
      return answer;
    },
    [this](const ask_worker_end& a) { return end_of(a); },
    [this](const spawn_actor& s) { return troupe::delegate(this, spawner_, s); },
    [this](const ping& p) { return answer_to(p); },
    [this](const measure_link& m) { return measure_from_here(m); },
    [this](const claim_lead& c) { return vote(c); },
    [this](const release_lead& r) { lead_.on_release(r); },
    [this](const leave_run&) { leave_in_order(); },
  };
}

lead_answer node::vote(const claim_lead& c) {
  auto answer = lead_.on_claim(c, home_system().clock().now());
  if (now_ && !now_->stopping && lead_.is_over(now_->job_id)) { // (T4)
    if (config_.on_note)
      config_.on_note(fmt::format("another process leads job {} from now on: its agents here end, and are started "
                                  "again by that",
                                  now_->job_id));
    stop_workers();
  }
  return answer;
}

void node::on_exit() {
  if (now_)
    now_->tree->stop();
  troupe::anon_send_exit(spawner_, caf::exit_reason::user_shutdown);
  node_actor::base::on_exit();
}

std::string node::refusal(const hello& from) const {
  if (from.protocol != config_.protocol)
    return fmt::format(
      "it runs troupe {} (protocol {}), this is troupe {} (protocol {}); install the same version on all hosts",
      troupe_version, config_.protocol, from.version, from.protocol);
  if (leaving_)
    return "it is being taken out of service; name another node";
  if (lead_.is_over(from.job_id))
    return fmt::format("another process leads job {} by now", from.job_id);
  if (now_ && now_->job_id != from.job_id && !from.job_id.empty())
    return fmt::format("it is taken by job {}; wait for its end or name another node", now_->job_id);
  return {};
}

// -- one worker -------------------------------------------------------------------------------------------------------

void node::open(caf::typed_response_promise<worker_opened> answer, const open_worker& what) {
  auto no = refusal({"troupe", config_.protocol, troupe_version, what.job_id, {}, 0});
  if (no.empty() && !(now_ && now_->slots.contains(what.role)) && !make_room())
    no = fmt::format("all its {} slots are taken; start it with more --slots or use fewer --agents", config_.slots);
  if (no.empty())
    if (auto begun = begin(what); !begun)
      no = begun.error().sentence;
  if (!no.empty())
    return answer.deliver(worker_opened{0, no});
  auto [i, is_new] = now_->slots.try_emplace(what.role);
  auto& s = i->second;
  s.number = what.incarnation;
  s.waiting = std::move(answer); // who asked before has given up
  if (is_new)
    return add_worker(what.role);
  if (s.taken) { // by an earlier incarnation, which is over, whatever its process does (T2): the supervisor starts anew
    troupe::anon_send_exit(std::exchange(s.process, nullptr), caf::exit_reason::kill);
    s.taken = false;
  } else if (s.process) {
    hand_out(s);
  }
}

uint32_t node::slots_left() const {
  if (!now_)
    return config_.slots;
  auto taken =
    std::count_if(now_->slots.begin(), now_->slots.end(), [](auto& each) { return each.second.is_in_use(); });
  return config_.slots - static_cast<uint32_t>(taken);
}

// Whether there is a slot for one more agent, or comes to be by the end of a process that waits for an agent which went
// elsewhere.
bool node::make_room() {
  if (!now_ || now_->slots.size() < config_.slots)
    return config_.slots > 0;
  auto idle = std::find_if(now_->slots.begin(), now_->slots.end(), [](auto& each) { return !each.second.is_in_use(); });
  if (idle == now_->slots.end())
    return false;
  auto workers = supervisor{now_->tree->root()};
  auto id = to_string(idle->first);
  workers.terminate_child(id,
                          [workers, id](const call_result&) { workers.delete_child(id, [](const call_result&) {}); });
  now_->slots.erase(idle);
  return true;
}

void node::add_worker(const role_id& role) {
  auto on_ready =
    later([this, role](uint16_t port, const caf::actor& process) { process_listens(role, port, process); });
  auto on_end =
    later([this, role](const std::string& how, const caf::actor& process) { process_ended(role, how, process); });
  auto start = [how = config_.worker, on_ready, on_end](const start_context& c) -> started {
    return started::later(c.system.spawn<worker, caf::detached>(worker::config{how, c.notice, on_ready, on_end}));
  };
  auto on_answer = later([this, role](const call_result& r) {
    if (auto i = now_->slots.find(role); r.error && i != now_->slots.end()) {
      i->second.waiting.deliver(worker_opened{0, r.sentence});
      now_->slots.erase(i);
    }
  });
  supervisor{now_->tree->root()}.start_child({to_string(role), start}, {.restart = transient}, on_answer);
}

void node::process_listens(const role_id& role, uint16_t port, const caf::actor& process) {
  auto i = now_->slots.find(role);
  if (i == now_->slots.end())
    return;
  auto& s = i->second;
  s.process = process;
  s.port = port;
  s.taken = false;
  if (s.waiting.pending())
    hand_out(s);
}

void node::hand_out(slot& s) {
  s.taken = true;
  s.end.clear();
  s.waiting.deliver(worker_opened{s.port, {}});
}

void node::process_ended(const role_id& role, const std::string& how, const caf::actor& process) {
  auto i = now_->slots.find(role);
  if (i == now_->slots.end() || i->second.process != process)
    return;
  auto& s = i->second;
  s.process = nullptr;
  if (std::exchange(s.taken, false)) {
    s.end = how;
    if (s.asking.pending())
      s.asking.deliver(worker_ended{how});
  }
  stop_if_left();
}

caf::result<worker_ended> node::end_of(const ask_worker_end& what) {
  auto i = now_ ? now_->slots.find(what.role) : decltype(now_->slots.end()){};
  if (!now_ || i == now_->slots.end() || i->second.number != what.incarnation)
    return worker_ended{};
  auto& s = i->second;
  if (!s.taken)
    return worker_ended{s.end};
  s.asking = make_response_promise<worker_ended>();
  return s.asking;
}

// -- connections ------------------------------------------------------------------------------------------------------

// The load is kept for the next one, until a small ping comes: new memory would be measured with it.
pong node::answer_to(const ping& what) {
  auto bytes = std::min(what.answer_bytes, most_ping_bytes);
  if (bytes == 0)
    ping_load_ = {};
  else if (ping_load_.empty() || ping_load_.bytes() != bytes) {
    ping_load_ = payload::make(dtype::u8, {bytes});
    std::memset(ping_load_.mutable_data(), 0, bytes);
  }
  return {what.number, ping_load_};
}

caf::result<link_measured> node::measure_from_here(const measure_link& what) {
  if (std::exchange(measuring_, true))
    return link_measured{{}, "it measures another connection; ask it again"};
  auto answer = make_response_promise<link_measured>();
  home_system().spawn<caf::detached>(
    [this, self = caf::weak_actor_ptr{ctrl()}, answer, what](caf::event_based_actor* there) {
      auto found = measure(there->home_system(), what.address,
                           {.round_trips = what.round_trips, .loads = what.loads, .load_bytes = what.load_bytes});
      run_in(self, [this, answer, found]() mutable {
        measuring_ = false;
        answer.deliver(found ? link_measured{*found, {}} : link_measured{{}, found.error().sentence});
      });
    });
  return answer;
}

// -- all of a job's ---------------------------------------------------------------------------------------------------

expected<void> node::begin(const open_worker& what) {
  if (!what.supervisor)
    return fail(fmt::format("nobody supervises {}", to_string(what.role)));
  if (!now_) {
    now_ = std::make_shared<hosted>();
    now_->job_id = what.job_id;
    auto observer = tree_observer{};
    observer.on_report = config_.on_report;
    observer.on_end = later([this](const tree_end& end) { workers_ended(end); });
    auto tree =
      run_tree(home_system(), supervise("workers", one_for_one, at_most_of_each(16, 1min)), std::move(observer));
    if (!tree) {
      now_ = nullptr;
      return tl::unexpected(tree.error());
    }
    now_->tree = std::move(*tree);
  }
  if (auto who = what.supervisor->address(); now_->supervisors.insert(who).second)
    troupe::monitor(this, caf::actor_cast<caf::actor>(what.supervisor), [this, who](const caf::error&) {
      if (now_ && now_->supervisors.erase(who) > 0 && now_->supervisors.empty())
        stop_workers();
    });
  return {};
}

void node::leave_in_order() {
  leaving_ = true;
  troupe::anon_send(spawner_, leave_run{});
  if (!now_)
    return quit(caf::exit_reason::user_shutdown);
  if (config_.on_note)
    config_.on_note(fmt::format("the agents of job {} finish what they have begun and leave; a second signal ends this "
                                "node at once",
                                now_->job_id));
  for (auto& [role, s] : now_->slots)
    if (s.process)
      troupe::anon_send(s.process, leave_run{});
  stop_if_left();
}

void node::stop_if_left() {
  if (!leaving_ || !now_ || now_->stopping)
    return;
  for (auto& [role, s] : now_->slots)
    if (s.taken)
      return;
  ending_ = caf::exit_reason::user_shutdown;
  stop_workers();
}

void node::stop_workers() {
  now_->stopping = true;
  now_->tree->stop();
}

void node::workers_ended(const tree_end& end) {
  for (auto& [role, s] : std::exchange(now_, nullptr)->slots) {
    if (s.waiting.pending())
      s.waiting.deliver(worker_opened{0, fmt::format("its worker processes have ended: {}", to_string(end.cause))});
    if (s.asking.pending())
      s.asking.deliver(worker_ended{s.end});
  }
  if (ending_ || leaving_)
    return quit(ending_.value_or(caf::exit_reason::user_shutdown));
  for (auto& f : std::exchange(waiting_, {}))
    f();
}

} // namespace troupe
