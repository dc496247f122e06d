#pragma once

#include <caf/typed_event_based_actor.hpp>

#include "actors/broker_core.hpp"
#include "actors/hosted_job.hpp"
#include "messages/interfaces.hpp"
#include "supervision/in_place.hpp"

namespace troupe {

/// Hands out the micro-batches of each step (see `broker_core`).
/// Receives `view_changed`, `step_committed` (coordinator), `request_lease`, `offer_help`, `lease_split` (agents),
/// `request_plan` (ring peers, aggregators), `role_bound` (directory); answers with `lease` and `step_plan`, and asks
/// agents with `split_lease` for what they have not begun. Fails never by itself. Owns nothing
/// but its core; a new life learns from the next view where the run is.
class data_broker {
public:
  using interface = data_broker_actor;
  static constexpr const char* actor_name = "troupe.data_broker";

  struct config {
    role_id role;
    std::shared_ptr<hosted_job> job;
    step first; ///< where the run begins
  };

  data_broker(interface::pointer self, life now, const config& c);
  interface::behavior_type make_behavior();

private:
  void hand_out(const std::vector<broker_core::grant>& grants);
  void pass_on(const broker_core::answers& answers);
  void send_plan(const role_id& to, const step_plan& plan);

  interface::pointer self_;
  life now_;
  config config_;
  broker_core core_;
};

} // namespace troupe
