#include "actors/agent_host.hpp"

#include <algorithm>
#include <caf/io/middleman.hpp>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <string>
#include <utility>

#include "actors/agent.hpp"
#include "actors/aggregator.hpp"
#include "actors/drain.hpp"
#include "actors/gossip_peer.hpp"
#include "actors/node_link.hpp"
#include "actors/ring_peer.hpp"
#include "actors/sample_keeper.hpp"
#include "actors/shard_holder.hpp"
#include "actors/shard_replica.hpp"
#include "actors/tcp_probe.hpp"
#include "actors/version.hpp"
#include "actors/worker_process.hpp"
#include "messages/caf.hpp"
#include "messages/shared_memory.hpp"

namespace troupe {
namespace {

constexpr auto watch_pace = std::chrono::milliseconds{200};
// For the leader to hear that an agent has left before the connection goes.
constexpr auto farewell = std::chrono::milliseconds{500};
// How long a connection to another worker process may take (R7).
constexpr auto connect_limit = std::chrono::seconds{5};
// The leader passes on what is sent to a process that cannot be reached by then.
constexpr auto reach_limit = std::chrono::seconds{2};

} // namespace

agent_host::~agent_host() {
  for (auto& [role, device] : devices_)
    drain(device);
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
    [this](const heartbeat& h) {
      auto lost = std::exchange(lost_, {});
      auto& shared = shared_memory::of_this_process();
      return troupe::alive{h.number,
                           {lost.begin(), lost.end()},
                           job_ ? job_->sent_bytes.load() : sent_bytes_,
                           shared.lent_bytes(),
                           shared.not_lent(),
                           job_ ? job_->from_source.load() : samples_.from_source,
                           job_ ? job_->from_keepers.load() : samples_.from_keepers,
                           job_ ? job_->most_held.load() : samples_.most_held};
    },
    [this](const bind_role& b) { bind(b); },
    [this](const leave_run& word) { leave(word); },
  };
}

// A shard holder goes when its replica elsewhere has everything, at the leader's word.
void agent_host::leave(const leave_run& word) {
  leaving_ = true;
  for (auto& [role, hosted] : hosted_)
    if (role.kind == "shard_holder")
      fmt::print(
        stderr,
        "troupe: {} holds a part of the parameters of job {}: its process stays until that has moved; a second "
        "signal ends it at once\n",
        to_string(role), job_->description.job_id);
    else if (role.kind != "shard_replica" && role.kind != keeper_kind)
      troupe::anon_send(caf::actor_cast<caf::actor>(hosted.handle), word);
  leave_if_empty();
}

// A keeper has samples for its agent, and goes with it.
void agent_host::leave_if_empty() {
  if (!leaving_)
    return;
  if (std::none_of(hosted_.begin(), hosted_.end(), [](auto& x) { return x.first.kind == "agent"; }))
    for (auto& [role, hosted] : hosted_)
      if (role.kind == keeper_kind)
        troupe::anon_send(caf::actor_cast<caf::actor>(hosted.handle), leave_run{});
  if (hosted_.empty())
    run_after(this, farewell, [this] { quit(caf::exit_reason::user_shutdown); });
}

bool agent_host::hosts_rank(uint32_t rank) const {
  return std::any_of(hosted_.begin(), hosted_.end(), [&](auto& x) { return x.second.rank == rank; });
}

uint32_t agent_host::slots_taken() const {
  auto ranks = std::set<uint32_t>{};
  for (auto& [role, hosted] : hosted_)
    ranks.insert(hosted.rank);
  return static_cast<uint32_t>(ranks.size());
}

hello agent_host::welcome(const hello& from) const {
  auto answer = hello{"troupe", config_.protocol, troupe_version, from.job_id, {}, 0};
  answer.slots = config_.slots - slots_taken();
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

// -- roles ------------------------------------------------------------------------------------------------------------

agent_spawned agent_host::spawn_here(const spawn_agent& what) {
  auto refusal = welcome({"troupe", config_.protocol, troupe_version, what.job.job_id, {}, 0}).refusal;
  if (hosts_rank(what.rank)) // a new incarnation takes the slot of the old one, a peer that of its agent
    refusal.clear();
  if ((what.role.kind == "shard_holder" || what.role.kind == "shard_replica") && what.role.index >= what.job.shards)
    refusal = fmt::format("the job has {} shards, and {} is none of them", what.job.shards, to_string(what.role));
  if (what.role.kind == keeper_kind && (!what.job.held.apart || what.role.index >= what.job.data_shards))
    refusal = fmt::format("the job has no shard of the data set for {}", to_string(what.role));
  if (!refusal.empty())
    return {nullptr, refusal};
  if (!job_) {
    auto opened = hosted_job::open(what.job, std::make_shared<directory>());
    if (!opened)
      return {nullptr, opened.error().sentence};
    job_ = std::move(*opened);
    vault_ = std::make_shared<shard_vault>();
  }
  for (auto& entry : what.directory)
    bind(entry);
  auto link = in_place_link{caf::actor_cast<caf::actor>(what.supervisor), to_string(what.role), what.incarnation,
                            std::make_shared<pulse>()};
  auto limit = std::chrono::milliseconds{what.job.handler_limit_ms};
  auto hosted = hosted_role{nullptr, nullptr, link.beat,
                            stuck_watch{{limit.count() == 0 ? unlimited : limit, watch_pace}}, what.rank};
  auto handle = spawn_role(what, std::move(link));
  hosted.handle = handle;
  hosted.supervisor = what.supervisor ? what.supervisor->address() : caf::actor_addr{};
  if (auto old = hosted_.find(what.role); old != hosted_.end())
    troupe::anon_send_exit(old->second.handle, caf::exit_reason::kill);
  hosted_.insert_or_assign(what.role, std::move(hosted));
  job_->roles->bind({what.role, what.incarnation, handle, {}, what.rank});
  troupe::monitor(this, caf::actor_cast<caf::actor>(handle), [this, role = what.role, handle](const caf::error&) {
    if (auto i = hosted_.find(role); i != hosted_.end() && i->second.handle == handle)
      hosted_.erase(i);
    release_if_empty();
    leave_if_empty();
  });
  watch_supervisor(what.supervisor);
  return {handle, {}, shared_memory::of_this_process().place()};
}

caf::strong_actor_ptr agent_host::spawn_role(const spawn_agent& what, in_place_link link) {
  auto& role = what.role;
  auto where = device_of(role, what.rank);
  if (role.kind == "ring_peer")
    return caf::actor_cast<caf::strong_actor_ptr>(
      spawn_in_place<ring_peer>(home_system(), std::move(link), {role, job_, vault_, job_->optimizer(), where}));
  if (role.kind == "gossip_peer")
    return caf::actor_cast<caf::strong_actor_ptr>(
      spawn_in_place<gossip_peer>(home_system(), std::move(link), {role, job_, vault_, job_->optimizer(), where}));
  if (role.kind == "shard_holder")
    return caf::actor_cast<caf::strong_actor_ptr>(
      spawn_in_place<shard_holder>(home_system(), std::move(link), {role, job_, vault_, job_->optimizer(), where}));
  if (role.kind == "shard_replica")
    return caf::actor_cast<caf::strong_actor_ptr>(
      spawn_in_place<shard_replica>(home_system(), std::move(link), {role, job_, vault_, job_->optimizer(), where}));
  if (role.kind == "aggregator")
    return caf::actor_cast<caf::strong_actor_ptr>(
      spawn_in_place<aggregator>(home_system(), std::move(link), {role, job_, where}));
  if (role.kind == keeper_kind)
    return caf::actor_cast<caf::strong_actor_ptr>(
      spawn_in_place<sample_keeper>(home_system(), std::move(link), {role, job_, 0, lane_for_files(role)}));
  return caf::actor_cast<caf::strong_actor_ptr>(
    spawn_in_place<agent>(home_system(), std::move(link), {role, job_, where}));
}

std::optional<gpu::device> agent_host::lane_for_files(const role_id& role) {
  if (job_->description.held.folder.empty())
    return std::nullopt;
  return devices_.try_emplace(role, gpu::device::host({1000 + static_cast<int>(role.index), 1})).first->second;
}

// An agent and the role at its side share a device: while the agent waits for the sum, its cores work on that. A holder
// of one that does not wait has its own.
gpu::device agent_host::device_of(const role_id& role, uint32_t rank) {
  auto of_shard = role.kind == "shard_holder" || role.kind == "shard_replica";
  auto shares = !of_shard || job_->pace() == pace::synchronous();
  auto threads = static_cast<int>(config_.threads != 0 ? config_.threads : job_->description.threads);
  auto whose = shares ? role_id{"agent", rank} : role_id{"shard", role.index};
  auto known = devices_.find(whose);
  if (known == devices_.end())
    known = devices_.emplace(whose, gpu::device::host({static_cast<int>(rank), shares ? threads : 1})).first;
  return known->second;
}

// The roles live as long as somebody supervises them.
void agent_host::watch_supervisor(const caf::strong_actor_ptr& supervisor) {
  if (!supervisor || !watched_.insert(supervisor->address()).second)
    return;
  troupe::monitor(this, caf::actor_cast<caf::actor>(supervisor),
                  [this, who = supervisor->address()](const caf::error&) {
                    watched_.erase(who);
                    std::erase_if(hosted_, [&](auto& x) {
                      auto orphan = x.second.supervisor == who;
                      if (orphan)
                        troupe::anon_send_exit(x.second.handle, caf::exit_reason::user_shutdown);
                      return orphan;
                    });
                    release_if_empty();
                  });
}

// -- where the others are ---------------------------------------------------------------------------------------------

// Of two processes the one with the higher rank connects to the other. If both did, at the same time, each would use
// its own connection, and CAF would cut them for being silent in the other direction. Agents talk to no other agent.
void agent_host::bind(const bind_role& entry) {
  if (!job_)
    return;
  auto add = [this, entry, job = job_] {
    if (job == job_ && job->roles->find(entry.role) != entry.handle)
      watch_for_loss(entry);
    job->roles->bind(entry);
  };
  if (!hosts_rank(entry.rank) || entry.address.empty())
    read_shared(entry.place);
  // Said again, of the same process: the connection to it was lost. What is sent to it goes by way of the leader until
  // there is another one.
  auto known = job_->roles->entry(entry.role);
  auto again = known && known->incarnation == entry.incarnation;
  auto address = parse_address(entry.address);
  auto connects = [&](auto& x) {
    return x.second.rank > entry.rank && (x.first.kind != "agent" || entry.role.kind != "agent");
  };
  if (!address || hosts_rank(entry.rank) || std::none_of(hosted_.begin(), hosted_.end(), connects))
    return add();
  if (again)
    add();
  auto and_then = [add, again] {
    if (!again)
      add();
  };
  auto connect = [this, and_then, host = address->first, port = address->second] {
    auto middleman = home_system().middleman().actor_handle();
    troupe::request(this, middleman, connect_limit, caf::connect_atom_v, host, port)
      .then([and_then](const caf::node_id&, const caf::strong_actor_ptr&, const std::set<std::string>&) { and_then(); },
            [and_then](const caf::error&) { and_then(); });
  };
  home_system().spawn<caf::detached>( // the probe blocks
    [self = caf::weak_actor_ptr{ctrl()}, and_then, connect, host = address->first,
     port = address->second](caf::event_based_actor*) {
      auto reached = !probe_tcp(host, port, reach_limit);
      run_in(self, [and_then, connect, reached] {
        if (reached)
          connect();
        else
          and_then(); // the leader passes on what is sent
      });
    });
}

// From now on that process may lend its tensors to this one.
void agent_host::read_shared(const process_place& place) {
  if (auto sentence = shared_memory::of_this_process().attach(place))
    fmt::print(stderr, "troupe: {}\n", *sentence);
}

void agent_host::watch_for_loss(const bind_role& entry) {
  auto is_ours = entry.role.kind == "aggregator" || entry.role.kind == job_->peer_kind() ||
                 entry.role.kind == keeper_kind || job_->sharded();
  if (!is_ours || entry.address.empty() || !entry.handle || hosts_rank(entry.rank))
    return;
  lost_.erase(entry.role);
  troupe::monitor(this, caf::actor_cast<caf::actor>(entry.handle),
                  [this, role = entry.role, job = job_, handle = entry.handle](const caf::error&) {
                    if (job == job_ && job && job->roles->find(role) == handle)
                      lost_.insert(role);
                  });
}

// -- the end ----------------------------------------------------------------------------------------------------------

// A handler that does not return cannot be interrupted, and its device may be stuck with it: the process has to go
// (S6).
void agent_host::look_for_stuck_handlers() {
  for (auto& [role, hosted] : hosted_)
    if (hosted.watch.observe(hosted.beat->turns(), home_system().clock().now())) {
      fmt::print(stderr, "troupe: {} has worked on one message for longer than {}: this process ends\n",
                 to_string(role),
                 to_string(nanoseconds{std::chrono::milliseconds{job_->description.handler_limit_ms}}));
      std::fflush(nullptr);
      std::_Exit(stuck_exit_code);
    }
  run_after(this, watch_pace, [this] { look_for_stuck_handlers(); });
}

void agent_host::release_if_empty() {
  if (hosted_.empty())
    release();
}

void agent_host::release() {
  for (auto& [role, hosted] : hosted_)
    troupe::anon_send_exit(hosted.handle, caf::exit_reason::user_shutdown);
  hosted_.clear();
  lost_.clear();
  if (job_) {
    sent_bytes_ = job_->sent_bytes;
    samples_ = {job_->from_source, job_->from_keepers, job_->most_held};
    job_->roles->clear();
  }
  job_.reset();
  vault_.reset();
}

} // namespace troupe
