#pragma once

#include <caf/result.hpp>
#include <caf/typed_actor.hpp>

#include "messages/registry.hpp"

namespace troupe {

/// What each role receives. A sender looks the handle up by role id (R2); messages/README.md has the table.

using coordinator_actor = caf::typed_actor<caf::result<void>(join),               //
                                           caf::result<void>(role_bound),         //
                                           caf::result<void>(peer_unreachable),   //
                                           caf::result<void>(micro_batches_done), //
                                           caf::result<void>(shard_summed),       //
                                           caf::result<void>(shard_replicated),   //
                                           caf::result<void>(evaluation),         //
                                           caf::result<void>(stop_run),           //
                                           caf::result<void>(lock_granted),       //
                                           caf::result<void>(lock_refused),       //
                                           caf::result<void>(lock_released)>;

using agent_actor = caf::typed_actor<caf::result<void>(role_bound),       //
                                     caf::result<void>(view_changed),     //
                                     caf::result<void>(parameters),       //
                                     caf::result<void>(lease),            //
                                     caf::result<void>(split_lease),      //
                                     caf::result<void>(reject_gradients), //
                                     caf::result<void>(evaluate),         //
                                     caf::result<void>(samples_held),     //
                                     caf::result<void>(leave_run)>;

using shard_holder_actor = caf::typed_actor<caf::result<void>(role_bound),      //
                                            caf::result<void>(view_changed),    //
                                            caf::result<void>(load_shard),      //
                                            caf::result<void>(push_gradients),  //
                                            caf::result<void>(pull_parameters), //
                                            caf::result<void>(commit_step),     //
                                            caf::result<shard_snapshot>(take_snapshot),
                                            caf::result<void>(follow_shard),                                          //
                                            caf::result<void>(update_replicated), caf::result<void>(sums_replicated), //
                                            caf::result<void>(hand_over_shard)>;

using shard_replica_actor = caf::typed_actor<caf::result<void>(role_bound),   //
                                             caf::result<void>(view_changed), //
                                             caf::result<void>(shard_state),  //
                                             caf::result<void>(replicate_update), caf::result<void>(replicate_sums),
                                             caf::result<void>(hand_over_shard)>;

/// Stands between a group of agents and the shard holders.
using aggregator_actor = caf::typed_actor<caf::result<void>(role_bound),       //
                                          caf::result<void>(view_changed),     //
                                          caf::result<void>(push_gradients),   //
                                          caf::result<void>(reject_gradients), //
                                          caf::result<void>(step_plan),        //
                                          caf::result<void>(leave_run)>;

/// Stands in for a shard holder of everything, for one agent.
using ring_peer_actor = caf::typed_actor<caf::result<void>(role_bound),      //
                                         caf::result<void>(view_changed),    //
                                         caf::result<void>(load_shard),      //
                                         caf::result<void>(push_gradients),  //
                                         caf::result<void>(pull_parameters), //
                                         caf::result<void>(commit_step),     //
                                         caf::result<shard_snapshot>(take_snapshot),
                                         caf::result<void>(step_plan),  //
                                         caf::result<void>(ring_chunk), //
                                         caf::result<void>(leave_run)>;

/// The same where replicas differ, and are averaged with one other at a time.
using gossip_peer_actor = caf::typed_actor<caf::result<void>(role_bound),      //
                                           caf::result<void>(view_changed),    //
                                           caf::result<void>(load_shard),      //
                                           caf::result<void>(push_gradients),  //
                                           caf::result<void>(pull_parameters), //
                                           caf::result<void>(commit_step),     //
                                           caf::result<shard_snapshot>(take_snapshot),
                                           caf::result<void>(step_plan),         //
                                           caf::result<void>(gossip_parameters), //
                                           caf::result<void>(leave_run)>;

using data_broker_actor = caf::typed_actor<caf::result<void>(role_bound),    //
                                           caf::result<void>(view_changed),  //
                                           caf::result<void>(request_lease), //
                                           caf::result<void>(request_plan),  //
                                           caf::result<void>(offer_help),    //
                                           caf::result<void>(lease_split),   //
                                           caf::result<void>(step_committed)>;

/// Has the whole data set.
using sample_source_actor = caf::typed_actor<caf::result<samples>(request_samples), //
                                             caf::result<samples_checksum>(request_checksum)>;

/// Holds the samples that the agent at its side works on.
using sample_keeper_actor = caf::typed_actor<caf::result<void>(role_bound),         //
                                             caf::result<void>(need_samples),       //
                                             caf::result<samples>(request_samples), //
                                             caf::result<void>(leave_run)>;

using agent_host_actor = caf::typed_actor<caf::result<hello>(hello),               //
                                          caf::result<agent_spawned>(spawn_agent), //
                                          caf::result<alive>(heartbeat),           //
                                          caf::result<void>(bind_role),            //
                                          caf::result<void>(leave_run)>;

using lock_service_actor = caf::typed_actor<caf::result<void>(acquire_lock), //
                                            caf::result<void>(renew_lock),   //
                                            caf::result<void>(release_lock)>;

using node_actor = caf::typed_actor<caf::result<hello>(hello),                 //
                                    caf::result<worker_opened>(open_worker),   //
                                    caf::result<worker_ended>(ask_worker_end), //
                                    caf::result<actor_spawned>(spawn_actor),   //
                                    caf::result<pong>(ping),                   //
                                    caf::result<link_measured>(measure_link),  //
                                    caf::result<lead_answer>(claim_lead),      //
                                    caf::result<void>(release_lead),           //
                                    caf::result<void>(leave_run)>;

/// Waits for the leader of a job to be gone, and leads it then.
using standby_actor = caf::typed_actor<caf::result<hello>(hello),            //
                                       caf::result<lead_answer>(claim_lead), //
                                       caf::result<void>(release_lead),      //
                                       caf::result<following>(follow_job),   //
                                       caf::result<state_kept>(keep_state),  //
                                       caf::result<void>(job_ended),         //
                                       caf::result<void>(leave_run)>;

/// Starts actors of the types that a node's program has registered.
using spawner_actor = caf::typed_actor<caf::result<actor_spawned>(spawn_actor), //
                                       caf::result<void>(leave_run)>;

} // namespace troupe
