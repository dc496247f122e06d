#pragma once

#include "actors/gossip_core.hpp"
#include "actors/gossip_result.hpp"
#include "actors/model_peer.hpp"
#include "actors/ring_sums.hpp"

namespace troupe {

/// Holds a replica of the model and of the optimiser's state for one agent, updates it with that agent's gradients, and
/// averages it with another peer's in each step: there is no server and no sum over all. To its agent it is what a
/// shard holder is: it takes `push_gradients`, publishes `parameters`. See `gossip_core` for the rest.
/// Receives `load_shard`, `commit_step`, `take_snapshot`, `view_changed` (coordinator), `push_gradients`,
/// `pull_parameters` (its agent), `step_plan` (data broker), `gossip_parameters`, `take_snapshot` (other peers),
/// `role_bound` (directory), `leave_run` (its process), upon which it goes after its agent; sends `shard_summed` to the
/// coordinator, `parameters` to its agent, `request_plan` to the data broker, `gossip_parameters` to its partners.
/// Fails with a reason when its stream does. Owns one stream. A new life comes back with its last commit, or asks
/// another peer for its replica.
class gossip_peer : public model_peer<gossip_peer, gossip_core, gossip_peer_actor> {
public:
  static constexpr const char* actor_name = "troupe.gossip_peer";

  gossip_peer(interface::pointer self, const life& now, const config& c);
  interface::behavior_type make_behavior();

private:
  friend model_peer;
  using model_peer::perform;

  void perform(const gossip_core::adapt& a);
  void perform(const gossip_core::send& a);
  void perform(const gossip_core::mix& a);
  void perform(const gossip_core::report&);
  void perform(const gossip_core::start_over&);

  void tell_result();
  void apply(const commit_step& c);
  gossip_result::basis basis() const;
  /// Calls `f` when the stream is past what it was given, unless the step has begun anew by then.
  template <class F>
  void when_done(F f);

  learn::local_steps::options rate_; // of each step
  ring_sums sums_;
  gossip_result result_;
  bool begun_ = false;   // `result_` is of the step in progress
  uint64_t attempt_ = 0; // rises when a step begins, or begins anew
};

} // namespace troupe
