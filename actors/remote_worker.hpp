#pragma once

#include <caf/actor_addr.hpp>
#include <caf/event_based_actor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/agent_places.hpp"
#include "actors/hosted_job.hpp"
#include "actors/worker_process.hpp"
#include "messages/interfaces.hpp"
#include "supervision/failure_detector.hpp"

namespace troupe {

/// The near end of a worker process: one agent of the job lives there and, at its side, its ring peer or the shard
/// holder of its number (T5). Spawned detached, because starting a process and waiting for its end block.
///
/// Starts the process, or has a node do so, and greets its agent host. The near ends of the roles (`remote_agent`) use
/// it: it has their roles spawned there and tells that host where the others are. Where no node has a place for the
/// process it waits for one (`agent_places`), and so do they: as started, so that the wait is no failure and costs no
/// restart. A shard holder or replica does not wait: it is to start elsewhere. Sends the host heartbeats, whose
/// answers say what its roles have sent: silence makes the roles unreachable, so that others take over their part of
/// the step, and at last dead (T4, R8). Ends when the process does, with a reason that names the exit code or the
/// signal; and ends the process when the last role has been stopped, or one has ended by itself: what an actor does not
/// survive costs the process (R12). Owns the process, unless that is a node's; it never outlives its owner.
class remote_worker final : public caf::event_based_actor {
public:
  struct config {
    std::shared_ptr<hosted_job> job;
    uint32_t rank;                                            ///< of the agent
    incarnation number;                                       ///< the how many-th process for it
    caf::actor supervisor;                                    ///< the process is not needed any more once it has ended
    std::function<expected<worker_process>()> launch;         ///< empty: a node starts the process
    std::shared_ptr<agent_places> places;                     ///< and these say which one
    std::function<void(const std::string&)> on_note = {};     ///< what the user should be told of places
    std::function<void()> on_wait = {};                       ///< it begins to wait
    std::function<void(const std::string&)> on_hopeless = {}; ///< the run cannot go on, and why
    failure_detector::options detection = {};
  };

  remote_worker(caf::actor_config& cfg, config c);
  const char* name() const override { return "troupe.remote_worker"; }

  /// A role to be spawned in the process, and who stands for it here.
  struct spawn_request {
    role_id role;
    incarnation number;
    caf::actor supervisor;
    caf::actor near_end;
    std::function<void()> waits;             ///< there is no place for now; called in the context of this actor
    std::function<void(agent_spawned)> then; ///< the same
  };

  // From within its own context (`run_in`); whoever calls them monitors it, too.
  void spawn_there(const spawn_request& r);
  /// The role has ended, in peace or not. The process may be needed by another: then `stays` is called.
  void leave(const role_id& role, bool in_peace, const std::function<void()>& stays);

protected:
  caf::behavior make_behavior() override;
  void on_exit() override;

private:
  expected<void> open_here();
  expected<void> open_on(const std::string& node);
  expected<void> greet(const std::string& host, uint16_t port, std::chrono::milliseconds limit);
  void find_place();
  void begin_to_wait();
  void wait_for_place(const spawn_request& r) const;
  void start_failed(const std::string& why);
  void spawn_all();
  void spawn(const spawn_request& r);
  void say(const std::string& sentence) const;
  void watch();
  void beat();
  void judge(reachability now);
  void tell_event(reachability now);
  void give_up_host(const std::string& why);
  void tell(const role_id& role);
  void count(const troupe::alive& a);
  void ended(const caf::error& reason);

  config config_;
  std::optional<worker_process> process_;
  std::vector<spawn_request> requests_;      // that wait for the process
  bool waiting_ = false;                     // for a place
  size_t at_ = 0;                            // which node
  std::string address_;                      // where the process listens
  node_actor node_;                          // null: the process is this one's own
  agent_host_actor host_;                    // in the process
  std::map<role_id, caf::actor_addr> roles_; // and their near ends
  failure_detector detector_;
  reachability last_ = reachability::reachable;
  reachability told_ = reachability::reachable; // as an event
  bool watching_ = false;
  uint64_t beats_ = 0;
  uint64_t sent_bytes_ = 0; // by the roles there, as far as it has been counted here
  uint64_t lent_bytes_ = 0; // the same of what was lent there
  uint64_t not_lent_ = 0;
  uint64_t from_source_ = 0; // the same of samples
  uint64_t from_keepers_ = 0;
  bool asked_ = false; // the node, how the process ended
};

} // namespace troupe
