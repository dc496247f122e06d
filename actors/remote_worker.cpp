#include "actors/remote_worker.hpp"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>

#include "actors/node_link.hpp"
#include "messages/caf.hpp"
#include "messages/shared_memory.hpp"
#include "supervision/exit_reason.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

// Opening a large data set on the agent's host takes its time (R7).
constexpr auto spawn_deadline = 60s;
// How long an exchange with a node may take at the first try, and while an agent waits for a place.
constexpr auto patient = std::chrono::milliseconds{10s};
constexpr auto impatient = std::chrono::milliseconds{1500};
// How long a process may take to be gone after its connection is.
constexpr auto exit_limit = 500ms;

const role_id coordinator_role{"coordinator", 0};

// Agents do not talk to each other. But shard holders that live beside them do, and so does the aggregator that may be
// in the process of its group's first agent.
bool is_for(uint32_t rank, const role_id& role, const hosted_job& job) {
  return role.kind != "agent" || job.sharded() || (job.aggregates() && job.taker(0, role).index == rank);
}

// What has no address is in this process.
bind_role with_place(bind_role entry) {
  if (entry.address.empty())
    entry.place = shared_memory::of_this_process().place();
  return entry;
}

} // namespace

remote_worker::remote_worker(caf::actor_config& cfg, config c)
  : caf::event_based_actor(cfg), config_(std::move(c)), detector_(config_.detection) {
  // nop
}

caf::behavior remote_worker::make_behavior() {
  return {[](caf::unit_t) {}}; // a behaviour keeps the actor alive
}

void remote_worker::on_exit() {
  process_.reset(); // waits for its end
  if (config_.places)
    config_.places->ended(config_.rank, config_.number, system().clock().now());
  caf::event_based_actor::on_exit();
}

// -- start ------------------------------------------------------------------------------------------------------------

void remote_worker::spawn_there(const spawn_request& r) {
  roles_[r.role] = r.near_end.address();
  troupe::monitor(this, r.near_end, [this, role = r.role, who = r.near_end.address()](const caf::error& reason) {
    if (auto i = roles_.find(role); i != roles_.end() && i->second == who) // it was killed
      quit(reason);
  });
  if (host_)
    return spawn(r);
  requests_.push_back(r);
  if (waiting_)
    return wait_for_place(r);
  if (requests_.size() > 1)
    return; // it is being looked for
  if (!config_.launch)
    return find_place();
  if (auto opened = open_here(); !opened)
    return quit(reason_of(opened.error())); // whoever waits for it monitors this actor
  spawn_all();
}

expected<void> remote_worker::open_here() {
  auto process = config_.launch();
  if (!process)
    return tl::unexpected(process.error());
  process_ = std::move(*process);
  auto port = process_->port();
  if (!port)
    return tl::unexpected(port.error());
  return greet("127.0.0.1", *port, patient);
}

// Blocks: not for long where it may be for the hundredth time.
expected<void> remote_worker::open_on(const std::string& node) {
  auto& job = config_.job->description.job_id;
  auto limit = waiting_ ? impatient : patient;
  auto where = *parse_address(node);
  auto found = connect_node(system(), where.first, where.second, job, limit);
  if (!found)
    return tl::unexpected(found.error());
  node_ = caf::actor_cast<node_actor>(*found);
  auto supervisor = caf::actor_cast<caf::strong_actor_ptr>(config_.supervisor);
  auto port = open_worker_on(system(), node_, {job, {"agent", config_.rank}, config_.number, supervisor});
  if (!port)
    return fail(fmt::format("{}: {}", node, port.error().sentence));
  return greet(where.first, *port, limit);
}

expected<void> remote_worker::greet(const std::string& host, uint16_t port, std::chrono::milliseconds limit) {
  auto found = connect_node(system(), host, port, config_.job->description.job_id, limit);
  if (!found)
    return tl::unexpected(found.error());
  host_ = caf::actor_cast<agent_host_actor>(*found);
  address_ = fmt::format("{}:{}", host, port);
  troupe::monitor(this, host_, [this](const caf::error& reason) { ended(reason); });
  return {};
}

void remote_worker::say(const std::string& sentence) const {
  if (config_.on_note && !sentence.empty())
    config_.on_note(sentence);
}

// One node at a time, and between them whatever else there is to do.
void remote_worker::find_place() {
  auto now = [this] { return system().clock().now(); };
  auto answer = config_.places->next(config_.rank, now());
  if (auto* at = std::get_if<agent_places::try_node>(&answer)) {
    at_ = at->node;
    auto opened = open_on(config_.places->name(at_));
    // It may have been the network's fault. Who goes elsewhere at once takes another agent's slot, and leaves one
    // behind.
    if (!opened && !waiting_)
      opened = open_on(config_.places->name(at_));
    if (opened)
      return spawn_all();
    say(config_.places->refused(config_.rank, at_, opened.error().sentence, now()));
    node_ = nullptr;
    run_in(caf::actor{this}, [this] { find_place(); });
  } else if (auto* wait = std::get_if<agent_places::wait>(&answer)) {
    if (wait->begins)
      begin_to_wait();
    run_after(this, wait->until - now(), [this] { find_place(); });
  } else if (auto* no = std::get_if<agent_places::refuse>(&answer)) {
    quit(reason_of(failure{no->sentence}));
  } else if (config_.on_hopeless) { // which ends the run, and so this
    config_.on_hopeless(std::get<agent_places::give_up>(answer).sentence);
  }
}

void remote_worker::begin_to_wait() {
  waiting_ = true;
  if (config_.job->on_event)
    config_.job->on_event({run_event::kind::waits, to_string(role_id{"agent", config_.rank}), config_.number.value,
                           config_.places->why(config_.rank)});
  if (config_.on_wait)
    config_.on_wait();
  for (auto& r : std::vector{requests_})
    wait_for_place(r);
}

void remote_worker::wait_for_place(const spawn_request& r) const {
  if (r.role.kind == "shard_holder" || r.role.kind == "shard_replica")
    r.then({nullptr, fmt::format("there is no place for agent/{}, beside which it was to be: {}", config_.rank,
                                 config_.places->why(config_.rank))});
  else
    r.waits();
}

void remote_worker::start_failed(const std::string& why) {
  config_.places->failed(config_.rank, at_, why, system().clock().now());
}

void remote_worker::spawn_all() {
  for (auto& r : std::exchange(requests_, {}))
    spawn(r);
}

void remote_worker::spawn(const spawn_request& r) {
  // The coordinator is made known to it as soon as the role can be answered: with the other peers, in `watch`.
  auto known = config_.job->roles->entries();
  std::erase_if(known, [&](auto& e) {
    return !is_for(config_.rank, e.role, *config_.job) || !e.address.empty() || e.role == coordinator_role;
  });
  std::transform(known.begin(), known.end(), known.begin(), with_place);
  auto supervisor = caf::actor_cast<caf::strong_actor_ptr>(r.supervisor);
  troupe::request(this, host_, spawn_deadline,
                  spawn_agent{config_.job->description, r.role, r.number, supervisor, std::move(known), config_.rank})
    .then(
      [this, r](const agent_spawned& s) {
        if (config_.places && s.handle)
          say(config_.places->started(config_.rank, at_, config_.number));
        else if (config_.places)
          start_failed(fmt::format("{}: {}", config_.places->name(at_), s.refusal));
        auto awaited = roles_.find(r.role);
        if (s.handle && (awaited == roles_.end() || awaited->second != r.near_end.address())) {
          troupe::anon_send_exit(s.handle, caf::exit_reason::kill); // its start was given up meanwhile
          return;
        }
        if (s.handle) {
          if (auto sentence = shared_memory::of_this_process().attach(s.place))
            fmt::print(stderr, "troupe: {}\n", *sentence);
          config_.job->roles->bind({r.role, r.number, s.handle, address_, config_.rank, s.place});
          watch();
        }
        r.then(s);
      },
      [this, r](const caf::error& e) {
        if (node_)
          give_up_host(fmt::format("{}: a start there was not answered", config_.places->name(at_)));
        auto how = process_ ? process_->ended(exit_limit) : std::nullopt;
        r.then({nullptr, fmt::format("the node of {} did not start it: {}{}", to_string(r.role), caf::to_string(e),
                                     process_ ? "; " + how.value_or("its process runs") : "")});
      });
}

void remote_worker::leave(const role_id& role, bool in_peace, const std::function<void()>& stays) {
  roles_.erase(role);
  if (!host_) { // it has no place yet
    std::erase_if(requests_, [&](auto& r) { return r.role == role; });
    return roles_.empty() ? quit() : stays();
  }
  if (!in_peace)
    return quit(reason_of(failure{fmt::format("its process was ended, since {} in it had failed", to_string(role))}));
  if (!roles_.empty())
    return stays();
  // Another role may come meanwhile.
  auto go = [this, stays] {
    if (roles_.empty())
      quit();
    else
      stays();
  };
  troupe::request(this, host_, exit_limit, heartbeat{++beats_})
    .then(
      [this, go](const troupe::alive& a) {
        count(a);
        go();
      },
      [go](const caf::error&) { go(); });
}

// -- watch ------------------------------------------------------------------------------------------------------------

// From the first role on: what is bound from now on, and what was bound meanwhile.
void remote_worker::watch() {
  if (std::exchange(watching_, true))
    return;
  auto& roles = *config_.job->roles;
  roles.on_bind(this->ctrl(), [host = host_, rank = config_.rank, job = config_.job](const bind_role& entry) {
    if (is_for(rank, entry.role, *job))
      troupe::anon_send(host, with_place(entry));
  });
  for (auto& entry : roles.entries())
    if (entry.role != coordinator_role)
      tell(entry.role);
  tell(coordinator_role);
  beat();
}

void remote_worker::tell(const role_id& role) {
  auto entry = config_.job->roles->entry(role);
  if (entry && entry->handle && !has_ended(entry->handle) && is_for(config_.rank, role, *config_.job))
    troupe::anon_send(host_, with_place(*entry));
}

// Since it was last counted; the first job of a process may not be its last.
void remote_worker::count(const troupe::alive& a) {
  config_.job->sent_bytes += a.sent_bytes - (a.sent_bytes < sent_bytes_ ? 0 : sent_bytes_);
  sent_bytes_ = a.sent_bytes;
  config_.job->lent_bytes += a.lent_bytes - std::exchange(lent_bytes_, a.lent_bytes);
  config_.job->not_lent += a.not_lent - std::exchange(not_lent_, a.not_lent);
  config_.job->from_source += a.from_source - std::exchange(from_source_, a.from_source);
  config_.job->from_keepers += a.from_keepers - std::exchange(from_keepers_, a.from_keepers);
  config_.job->held_so_much(a.most_held);
}

void remote_worker::beat() {
  troupe::request(this, host_, 10 * config_.detection.pace, heartbeat{++beats_})
    .then(
      [this](const troupe::alive& a) {
        detector_.on_alive(system().clock().now());
        judge(reachability::reachable);
        count(a);
        for (auto& role : a.lost)
          tell(role);
      },
      [](const caf::error&) {}); // the silence speaks
  run_after(this, config_.detection.pace, [this] {
    judge(detector_.judge(system().clock().now()));
    beat();
  });
}

void remote_worker::judge(reachability now) {
  if (now == std::exchange(last_, now))
    return;
  tell_event(now);
  auto coordinator = config_.job->roles->find(coordinator_role);
  if (now == reachability::unreachable && coordinator) {
    for (auto& [role, near_end] : roles_)
      troupe::anon_send(caf::actor_cast<caf::actor>(coordinator), peer_unreachable{role});
  } else if (now == reachability::reachable) { // it may have been left out of the view: have it join again
    tell(coordinator_role);
  } else if (now == reachability::dead) {
    if (process_)
      process_->kill();
    else
      give_up_host(fmt::format("{}: {} was lost in silence there", config_.places->name(at_),
                               to_string(role_id{"agent", config_.rank})));
    ended(reason_of(exit_cause{exit_kind::connection_lost,
                               {fmt::format("it did not answer for {}", to_string(detector_.silence()))}}));
  }
}

// It may live and be heard of again: as soon as it hears this it ends (T4). What it says until then is dropped (R8).
void remote_worker::give_up_host(const std::string& why) {
  start_failed(why); // the next one is elsewhere, if there is a place
  troupe::anon_send_exit(host_, caf::exit_reason::user_shutdown);
}

void remote_worker::tell_event(reachability now) {
  using kind = run_event::kind;
  if (!config_.job->on_event || now == reachability::suspect || now == std::exchange(told_, now))
    return;
  auto what = now == reachability::unreachable ? kind::unreachable
              : now == reachability::dead      ? kind::dead
                                               : kind::reachable;
  for (auto& [role, near_end] : roles_)
    config_.job->on_event({what, to_string(role), config_.number.value,
                           what == kind::reachable
                             ? std::string{}
                             : fmt::format("nothing was heard for {}", to_string(detector_.silence()))});
}

// How the process ended says more than that its connection was lost.
void remote_worker::ended(const caf::error& reason) {
  auto cause = cause_of(reason);
  if (process_ && cause.kind == exit_kind::connection_lost) {
    if (auto how = process_->ended(exit_limit))
      cause = caused(exit_kind::error, *how, cause);
  } else if (node_ && cause.kind == exit_kind::connection_lost) {
    if (std::exchange(asked_, true))
      return;
    troupe::request(this, node_, exit_limit, ask_worker_end{{"agent", config_.rank}, config_.number})
      .then(
        [this, cause](const worker_ended& e) {
          quit(reason_of(e.how.empty() ? cause : caused(exit_kind::error, e.how, cause)));
        },
        [this, cause](const caf::error&) { quit(reason_of(cause)); });
    return;
  }
  quit(reason_of(cause));
}

} // namespace troupe
