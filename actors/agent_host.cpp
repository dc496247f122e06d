#include "actors/agent_host.hpp"

#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <utility>

#include "actors/agent.hpp"
#include "actors/drain.hpp"
#include "actors/version.hpp"
#include "actors/worker_process.hpp"
#include "messages/caf.hpp"

namespace troupe {
namespace {

constexpr auto watch_pace = std::chrono::milliseconds{200};
// For the leader to hear that an agent has left before the connection goes.
constexpr auto farewell = std::chrono::milliseconds{500};

} // namespace

agent_host::~agent_host() {
  for (auto& d : devices_)
    drain(d);
}

agent_host_actor::behavior_type agent_host::make_behavior() {
  on_exit_message(this, [this](caf::exit_msg& m) {
    release();
    quit(std::move(m.reason));
  });
  look_for_stuck_handlers();
  return {
    [this](const hello& h) { return welcome(h); },
    [this](const spawn_agent& s) { return spawn_here(s); },
    [](const heartbeat& h) { return troupe::alive{h.number}; },
    [this](const bind_role& b) {
      if (roles_)
        roles_->bind(b);
      watch_supervisor();
    },
    [this](const leave_run& word) {
      leaving_ = true;
      for (auto& [role, hosted] : agents_)
        troupe::anon_send(caf::actor_cast<caf::actor>(hosted.handle), word);
      leave_if_empty();
    },
  };
}

void agent_host::leave_if_empty() {
  if (leaving_ && agents_.empty())
    run_after(this, farewell, [this] { quit(caf::exit_reason::user_shutdown); });
}

hello agent_host::welcome(const hello& from) const {
  auto answer = hello{"troupe", config_.protocol, troupe_version, from.job_id, {}, 0};
  answer.slots = config_.slots - static_cast<uint32_t>(agents_.size());
  if (from.protocol != config_.protocol)
    answer.refusal = fmt::format(
      "it runs troupe {} (protocol {}), this is troupe {} (protocol {}); install the same version on all hosts",
      troupe_version, config_.protocol, from.version, from.protocol);
  else if (job_ && job_->description.job_id != from.job_id)
    answer.refusal =
      fmt::format("it is taken by job {}; wait for its end or name another node", job_->description.job_id);
  else if (leaving_)
    answer.refusal = "its process is about to end; name another node";
  else if (answer.slots == 0)
    answer.refusal =
      fmt::format("all its {} slots are taken; start it with more --slots or use fewer --agents", config_.slots);
  return answer;
}

agent_spawned agent_host::spawn_here(const spawn_agent& what) {
  auto refusal = welcome({"troupe", config_.protocol, troupe_version, what.job.job_id, {}, 0}).refusal;
  if (agents_.contains(what.role)) // a new incarnation takes the slot of the old one
    refusal.clear();
  if (!refusal.empty())
    return {nullptr, refusal};
  if (!job_) {
    roles_ = std::make_shared<directory>();
    for (auto& entry : what.directory)
      roles_->bind(entry);
    auto opened = hosted_job::open(what.job, roles_);
    if (!opened) {
      roles_.reset();
      return {nullptr, opened.error().sentence};
    }
    job_ = std::move(*opened);
  } else {
    for (auto& entry : what.directory)
      roles_->bind(entry);
  }
  auto threads = static_cast<int>(config_.threads != 0 ? config_.threads : what.job.threads);
  auto device = gpu::device::host({static_cast<int>(what.role.index), threads});
  devices_.push_back(device);
  auto link = in_place_link{caf::actor_cast<caf::actor>(roles_->find({"supervisor", 0})), to_string(what.role),
                            what.incarnation, std::make_shared<pulse>()};
  auto limit = std::chrono::milliseconds{what.job.handler_limit_ms};
  auto hosted = hosted_agent{nullptr, link.beat, stuck_watch{{limit.count() == 0 ? unlimited : limit, watch_pace}}};
  auto handle = spawn_in_place<agent>(home_system(), std::move(link), {what.role, job_, device});
  auto strong = caf::actor_cast<caf::strong_actor_ptr>(handle);
  hosted.handle = strong;
  if (auto old = agents_.find(what.role); old != agents_.end())
    troupe::anon_send_exit(old->second.handle, caf::exit_reason::kill);
  agents_.insert_or_assign(what.role, std::move(hosted));
  troupe::monitor(this, handle, [this, role = what.role, strong](const caf::error&) {
    if (auto i = agents_.find(role); i != agents_.end() && i->second.handle == strong)
      agents_.erase(i);
    if (agents_.empty())
      release();
    leave_if_empty();
  });
  watch_supervisor();
  return {strong, {}};
}

// The agents live as long as somebody supervises them.
void agent_host::watch_supervisor() {
  if (!roles_)
    return;
  auto supervisor = roles_->find({"supervisor", 0});
  if (supervisor && supervisor->address() != watched_) {
    watched_ = supervisor->address();
    troupe::monitor(this, caf::actor_cast<caf::actor>(supervisor), [this, who = watched_](const caf::error&) {
      if (watched_ == who)
        release();
    });
  }
}

// A handler that does not return cannot be interrupted, and its device may be stuck with it: the process has to go
// (S6).
void agent_host::look_for_stuck_handlers() {
  for (auto& [role, hosted] : agents_)
    if (hosted.watch.observe(hosted.beat->turns(), home_system().clock().now())) {
      fmt::print(stderr, "troupe: {} has worked on one message for longer than {}: this process ends\n",
                 to_string(role),
                 to_string(nanoseconds{std::chrono::milliseconds{job_->description.handler_limit_ms}}));
      std::fflush(nullptr);
      std::_Exit(stuck_exit_code);
    }
  run_after(this, watch_pace, [this] { look_for_stuck_handlers(); });
}

void agent_host::release() {
  for (auto& [role, hosted] : agents_)
    troupe::anon_send_exit(hosted.handle, caf::exit_reason::user_shutdown);
  agents_.clear();
  watched_ = nullptr;
  job_.reset();
  if (roles_)
    roles_->clear();
  roles_.reset();
}

} // namespace troupe
