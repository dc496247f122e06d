#include "actors/node.hpp"

#include <fmt/format.h>
#include <utility>

#include "actors/agent.hpp"
#include "actors/drain.hpp"
#include "actors/version.hpp"
#include "messages/caf.hpp"

namespace troupe {

node::~node() {
  for (auto& d : devices_)
    drain(d);
}

node_actor::behavior_type node::make_behavior() {
  on_exit_message(this, [this](caf::exit_msg& m) {
    release();
    quit(std::move(m.reason));
  });
  return {
    [this](const hello& h) { return welcome(h); },
    [this](const spawn_agent& s) { return spawn_here(s); },
    [this](const bind_role& b) {
      if (roles_)
        roles_->bind(b);
      watch_leader();
    },
  };
}

hello node::welcome(const hello& from) const {
  auto answer = hello{"troupe", config_.protocol, troupe_version, from.job_id, {}, 0};
  answer.slots = config_.slots - static_cast<uint32_t>(agents_.size());
  if (from.protocol != config_.protocol)
    answer.refusal = fmt::format("it runs troupe {} (protocol {}), this is troupe {} (protocol {}); install the same version on all hosts",
                                 troupe_version, config_.protocol, from.version, from.protocol);
  else if (job_ && job_->description.job_id != from.job_id)
    answer.refusal = fmt::format("it is taken by job {}; wait for its end or name another node", job_->description.job_id);
  else if (answer.slots == 0)
    answer.refusal = fmt::format("all its {} slots are taken; start it with more --slots or use fewer --agents", config_.slots);
  return answer;
}

agent_spawned node::spawn_here(const spawn_agent& what) {
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
  auto handle = home_system().spawn<agent>(agent::config{{what.role, what.incarnation}, job_, device});
  auto strong = caf::actor_cast<caf::strong_actor_ptr>(handle);
  if (auto old = std::exchange(agents_[what.role], strong))
    troupe::anon_send_exit(old, caf::exit_reason::kill);
  troupe::monitor(this, handle, [this, role = what.role, strong](const caf::error&) {
    if (auto i = agents_.find(role); i != agents_.end() && i->second == strong)
      agents_.erase(i);
    if (agents_.empty())
      release();
  });
  watch_leader();
  return {strong, {}};
}

// The agents live as long as somebody leads them.
void node::watch_leader() {
  if (!roles_)
    return;
  auto leader = roles_->find({"coordinator", 0});
  if (leader && leader->address() != watched_) {
    watched_ = leader->address();
    troupe::monitor(this, caf::actor_cast<caf::actor>(leader), [this, leader](const caf::error&) {
      if (roles_ && roles_->find({"coordinator", 0}) == leader)
        release();
    });
  }
}

void node::release() {
  for (auto& [role, handle] : agents_)
    troupe::anon_send_exit(handle, caf::exit_reason::user_shutdown);
  agents_.clear();
  watched_ = nullptr;
  job_.reset();
  if (roles_)
    roles_->clear();
  roles_.reset();
}

} // namespace troupe
