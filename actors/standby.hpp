#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "actors/data_parallel.hpp"
#include "actors/leader_lease.hpp"
#include "actors/voter_link.hpp"
#include "messages/interfaces.hpp"

namespace troupe {

/// What a standby takes over.
struct takeover {
  job_options job; ///< without files, on the nodes that are left
  handover from;
  std::shared_ptr<lead> claim; ///< it holds; nothing commits without it
};

/// Follows the leader of one job: keeps the newest state of its run, and claims the lead at the job's nodes when it has
/// not heard a claim of the leader's for as long as a lease lasts. Takes over once a majority has granted that.
/// Receives `follow_job`, `keep_state`, `job_ended` (the leader), `claim_lead`, `release_lead` (the leader; itself),
/// `hello` (a leader that takes it for a node), `leave_run` (its process). Refuses, with a sentence in the answer: a
/// second job, one whose data it cannot open, a state that is not of the job's size or not finite. Ends when the job
/// has ended, or its process tells it to; else its claim goes on. Spawned detached, because opening data reads files.
class standby final : public standby_actor::base {
public:
  struct config {
    std::function<void(takeover)> on_won;                 ///< once
    std::function<void(const std::string&)> on_job_ended; ///< before it ends
    std::function<void(const std::string&)> on_note;      ///< a sentence the user should see
  };

  standby(caf::actor_config& cfg, config c) : standby_actor::base(cfg), config_(std::move(c)) {}
  const char* name() const override { return "troupe.standby"; }
  behavior_type make_behavior() override;

private:
  /// How often it looks at the lease of its leader.
  static constexpr std::chrono::milliseconds look{20};
  /// How long a node that has not answered is waited for, once a majority has: it may have gone with the leader.
  static constexpr std::chrono::milliseconds patience{200};

  struct followed {
    follow_job order;
    job_options options;
    std::shared_ptr<hosted_job> job;
    std::shared_ptr<const model_state> newest;
    fencing_token tokens;
    std::shared_ptr<lead> claim;
    std::unique_ptr<voter_links> links;
    leader_lease::time_point heard; ///< of its leader
    bool claiming = false;
    std::optional<leader_lease::time_point> since; ///< it may commit
    bool won = false;
  };

  lead_answer vote(const claim_lead& c);
  expected<void> follow(const follow_job& order);
  expected<void> keep(const keep_state& what);
  void go_on();
  void take_over(std::vector<std::string> nodes);

  config config_;
  leader_lease lease_{home_system().clock().now()};
  std::optional<followed> now_;
};

} // namespace troupe
