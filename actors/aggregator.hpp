#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <map>
#include <tuple>

#include "actors/aggregator_core.hpp"
#include "actors/hosted_job.hpp"
#include "gpu/stream.hpp"
#include "messages/interfaces.hpp"
#include "supervision/in_place.hpp"

namespace troupe {

/// Adds up what a group of agents contributes, and passes it on to the shard holders (see `aggregator_core`).
/// Receives `push_gradients` (agents of its group), `reject_gradients` (shard holders), `step_plan` (data broker),
/// `view_changed` (coordinator), `role_bound` (directory), `leave_run` (its process), upon which it ends normally;
/// sends `push_gradients` to the shard holders, `reject_gradients` to its agents, `request_plan` to the data broker.
/// Fails with a reason when its stream does. Owns one stream. A new life begins empty: its agents push again, and
/// keyed, so that nothing counts twice.
class aggregator {
public:
  using interface = aggregator_actor;
  static constexpr const char* actor_name = "troupe.aggregator";

  struct config {
    role_id role;
    std::shared_ptr<hosted_job> job;
    gpu::device where;
  };

  aggregator(interface::pointer self, life now, const config& c);
  interface::behavior_type make_behavior();

private:
  using key = std::tuple<step, block_id, tree_node>;

  void take(push_gradients p);
  bool fits(const push_gradients& p) const;
  void perform(const aggregator_core::actions& actions);
  void perform(const aggregator_core::announce&);
  void perform(const aggregator_core::ask_plan& a);
  void perform(const aggregator_core::add& a);
  void perform(const aggregator_core::forward& a);
  void perform(const aggregator_core::start_over& a);
  void perform(const aggregator_core::forget& a);
  void perform(const aggregator_core::reject& a);
  void perform(const aggregator_core::release& a);

  interface::pointer self_;
  life now_;
  config config_;
  aggregator_core core_;
  gpu::stream stream_;
  std::map<key, payload> kept_; // what agents have pushed
  std::map<key, payload> sums_; // of that, as far as it is added up
};

} // namespace troupe
