#pragma once

#include "actors/model_peer.hpp"
#include "actors/ring_core.hpp"
#include "actors/ring_sums.hpp"

namespace troupe {

/// Holds all parameters and the optimiser's state for one agent, and all-reduces its gradients with the other agents'
/// peers: there is no server. To its agent it is what a shard holder is: it takes `push_gradients`, publishes
/// `parameters`. See `ring_core` for the rest.
/// Receives `load_shard`, `commit_step`, `take_snapshot`, `view_changed` (coordinator), `push_gradients`,
/// `pull_parameters` (its agent), `step_plan` (data broker), `ring_chunk`, `take_snapshot` (other peers), `role_bound`
/// (directory), `leave_run` (its process), upon which it goes after its agent; sends `shard_summed` to the coordinator,
/// `parameters` to its agent, `request_plan` to the data broker, `ring_chunk` to other peers. Fails with a reason
/// when its stream does. Owns one stream. Every peer applies the same update to the same bits. A new life comes back
/// with its last commit, or asks another peer for the model.
class ring_peer : public model_peer<ring_peer, ring_core, ring_peer_actor> {
public:
  static constexpr const char* actor_name = "troupe.ring_peer";

  struct config : model_peer_config {
    std::optional<all_reduce_schedule> schedule = {}; ///< the same for all peers; none: the usual one
  };

  ring_peer(interface::pointer self, const life& now, const config& c);
  interface::behavior_type make_behavior();

private:
  friend model_peer;
  using model_peer::perform;

  void perform(const ring_core::assemble& a);
  void perform(const ring_core::send& a);
  void perform(const ring_core::reduce& a);
  void perform(const ring_core::join& a);
  void perform(const ring_core::complete& a);
  void perform(const ring_core::measure& a);
  void perform(const ring_core::start_over&);

  void go_on(const ring_sums::sum& made, uint32_t bucket, uint32_t chunk);
  void tell_result();
  void apply(const commit_step& c);

  ring_sums sums_;
};

} // namespace troupe
