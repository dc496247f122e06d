#pragma once

#include <caf/typed_event_based_actor.hpp>

#include "actors/broker_core.hpp"
#include "actors/hosted_job.hpp"
#include "messages/interfaces.hpp"

namespace troupe {

/// Hands out the micro-batches of each step (see `broker_core`).
/// Receives `view_changed`, `step_committed` (coordinator), `request_lease` (agents), `role_bound` (directory); answers with
/// `lease`. Ends only when stopped. Owns nothing but its core.
class data_broker final : public data_broker_actor::base {
public:
  struct config {
    member self;
    std::shared_ptr<hosted_job> job;
    step first; ///< where the run begins
  };

  data_broker(caf::actor_config& cfg, config c);
  const char* name() const override { return "troupe.data_broker"; }
  behavior_type make_behavior() override;

private:
  void hand_out(const std::vector<broker_core::grant>& grants);

  config config_;
  broker_core core_;
};

} // namespace troupe
