#pragma once

#include <caf/actor_addr.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "actors/leader_lease.hpp"
#include "actors/spawner.hpp"
#include "actors/worker_process.hpp"
#include "messages/interfaces.hpp"
#include "supervision/run_tree.hpp"

namespace troupe {

/// Hosts agents of one job at a time on behalf of a leader elsewhere, each in a worker process of its own, and
/// supervises these processes (T5): `one_for_one`, `transient`, at most 16 restarts of each in 1 min. The leader talks
/// to the workers themselves. A process that no agent has taken, as its agent went elsewhere, makes room for another
/// agent's where all slots are in use.
/// Receives `hello`, `open_worker`, `ask_worker_end` (the leader), `claim_lead`, `release_lead` (a leader that has a
/// standby, the standby), `leave_run` (its process): it takes no more agents, and ends when those it has have left. It
/// votes on who leads (`leader_lease`); when a later term of its job does, the workers of the one before end. Refuses,
/// with a sentence in the answer: another protocol version, a second job, one that another process leads by now, more
/// agents than slots, a worker process that does not get ready. When the supervisors of its agents are gone, or its
/// workers ended too often, all of them end and the node is free again (T4: orphans stop); who asks meanwhile is
/// answered then. Besides, for whoever may connect: `spawn_actor`, which its `spawner` answers, `ping`, and
/// `measure_link`, one at a time. Owns the spawner, and the worker processes, which never outlive it.
class node final : public node_actor::base {
public:
  struct config {
    uint32_t slots = 1;
    worker_options worker;
    std::function<void(const supervision_report&)> on_report; ///< of the worker processes
    std::function<void(const std::string&)> on_note = {};     ///< a sentence the user should see
    uint32_t protocol = protocol_version;                     ///< tests pretend to be another version
    spawner::config actors = {};                              ///< types of the program's own
  };

  node(caf::actor_config& cfg, config c) : node_actor::base(cfg), config_(std::move(c)) {}
  const char* name() const override { return "troupe.node"; }
  behavior_type make_behavior() override;
  void on_exit() override;

private:
  // An agent's worker process.
  struct slot {
    incarnation number; // of the agent that asked last
    caf::actor process; // near end of the process that listens; null: none does
    uint16_t port = 0;
    bool taken = false; // by that agent
    std::string end;    // how the process it had ended
    caf::typed_response_promise<worker_opened> waiting;
    caf::typed_response_promise<worker_ended> asking;
    [[nodiscard]] bool is_in_use() const { return taken || waiting.pending(); }
  };
  // What the node hosts.
  struct hosted {
    std::string job_id;
    std::set<caf::actor_addr> supervisors; // of the agents, and of the roles at their side
    std::optional<running_tree> tree;
    bool stopping = false;
    std::map<role_id, slot> slots;
  };

  [[nodiscard]] std::string refusal(const hello& from) const;
  void open(caf::typed_response_promise<worker_opened> answer, const open_worker& what);
  pong answer_to(const ping& what);
  caf::result<link_measured> measure_from_here(const measure_link& what);
  caf::result<worker_ended> end_of(const ask_worker_end& what);
  expected<void> begin(const open_worker& what);
  [[nodiscard]] uint32_t slots_left() const;
  bool make_room();
  void add_worker(const role_id& role);
  void hand_out(slot& s);
  void process_listens(const role_id& role, uint16_t port, const caf::actor& process);
  lead_answer vote(const claim_lead& c);
  void process_ended(const role_id& role, const std::string& how, const caf::actor& process);
  void leave_in_order();
  void stop_if_left();
  void stop_workers();
  void workers_ended(const tree_end& end);
  template <class F>
  void once_free(F f);
  template <class F>
  auto later(F f);

  config config_;
  spawner_actor spawner_;
  payload ping_load_; // of the last answer to a ping
  bool measuring_ = false;
  leader_lease lead_{home_system().clock().now()};
  std::shared_ptr<hosted> now_;                // null: free
  std::vector<std::function<void()>> waiting_; // for it to be free
  bool leaving_ = false;
  std::optional<caf::error> ending_;
};

} // namespace troupe
