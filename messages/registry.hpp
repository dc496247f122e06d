#pragma once

#include <caf/type_id.hpp>

#include <vector>

#include "messages/evaluation.hpp"
#include "messages/flow.hpp"
#include "messages/gossip.hpp"
#include "messages/job.hpp"
#include "messages/leadership.hpp"
#include "messages/leases.hpp"
#include "messages/locks.hpp"
#include "messages/membership.hpp"
#include "messages/nodes.hpp"
#include "messages/ping.hpp"
#include "messages/replicas.hpp"
#include "messages/ring.hpp"
#include "messages/samples.hpp"
#include "messages/snapshots.hpp"
#include "messages/spawning.hpp"
#include "messages/supervision.hpp"
#include "messages/training.hpp"

/// Every message type of Troupe, in the order that gives them their ids on the wire. Append only, and raise
/// `protocol_version` with every change. An app's own types start at `caf::id_block::troupe::end`.
CAF_BEGIN_TYPE_ID_BLOCK(troupe, first_custom_type_id)

CAF_ADD_TYPE_ID(troupe, (troupe::hello))

CAF_ADD_TYPE_ID(troupe, (troupe::agent_spawned))
CAF_ADD_TYPE_ID(troupe, (troupe::attempt))
CAF_ADD_TYPE_ID(troupe, (troupe::bind_role))
CAF_ADD_TYPE_ID(troupe, (troupe::block_id))
CAF_ADD_TYPE_ID(troupe, (troupe::block_norm))
CAF_ADD_TYPE_ID(troupe, (troupe::commit_step))
CAF_ADD_TYPE_ID(troupe, (troupe::evaluate))
CAF_ADD_TYPE_ID(troupe, (troupe::evaluation))
CAF_ADD_TYPE_ID(troupe, (troupe::incarnation))
CAF_ADD_TYPE_ID(troupe, (troupe::job_description))
CAF_ADD_TYPE_ID(troupe, (troupe::join))
CAF_ADD_TYPE_ID(troupe, (troupe::lease))
CAF_ADD_TYPE_ID(troupe, (troupe::load_shard))
CAF_ADD_TYPE_ID(troupe, (troupe::member))
CAF_ADD_TYPE_ID(troupe, (troupe::micro_batch_result))
CAF_ADD_TYPE_ID(troupe, (troupe::micro_batches_done))
CAF_ADD_TYPE_ID(troupe, (troupe::origin))
CAF_ADD_TYPE_ID(troupe, (troupe::parameters))
CAF_ADD_TYPE_ID(troupe, (troupe::payload))
CAF_ADD_TYPE_ID(troupe, (troupe::pull_parameters))
CAF_ADD_TYPE_ID(troupe, (troupe::push_gradients))
CAF_ADD_TYPE_ID(troupe, (troupe::request_lease))
CAF_ADD_TYPE_ID(troupe, (troupe::role_bound))
CAF_ADD_TYPE_ID(troupe, (troupe::role_id))
CAF_ADD_TYPE_ID(troupe, (troupe::shard_snapshot))
CAF_ADD_TYPE_ID(troupe, (troupe::shard_summed))
CAF_ADD_TYPE_ID(troupe, (troupe::spawn_agent))
CAF_ADD_TYPE_ID(troupe, (troupe::step))
CAF_ADD_TYPE_ID(troupe, (troupe::step_committed))
CAF_ADD_TYPE_ID(troupe, (troupe::stop_run))
CAF_ADD_TYPE_ID(troupe, (troupe::take_snapshot))
CAF_ADD_TYPE_ID(troupe, (troupe::tree_node))
CAF_ADD_TYPE_ID(troupe, (troupe::view))
CAF_ADD_TYPE_ID(troupe, (troupe::view_changed))
CAF_ADD_TYPE_ID(troupe, (std::vector<troupe::bind_role>))
CAF_ADD_TYPE_ID(troupe, (std::vector<troupe::block_norm>))
CAF_ADD_TYPE_ID(troupe, (std::vector<troupe::member>))
CAF_ADD_TYPE_ID(troupe, (std::vector<troupe::micro_batch_result>))
CAF_ADD_TYPE_ID(troupe, (std::vector<troupe::payload>))

CAF_ADD_TYPE_ID(troupe, (troupe::alive))
CAF_ADD_TYPE_ID(troupe, (troupe::heartbeat))
CAF_ADD_TYPE_ID(troupe, (troupe::peer_unreachable))
CAF_ADD_TYPE_ID(troupe, (troupe::replace_state))
CAF_ADD_TYPE_ID(troupe, (troupe::state_failed))

CAF_ADD_TYPE_ID(troupe, (troupe::ask_worker_end))
CAF_ADD_TYPE_ID(troupe, (troupe::open_worker))
CAF_ADD_TYPE_ID(troupe, (troupe::worker_ended))
CAF_ADD_TYPE_ID(troupe, (troupe::worker_opened))

CAF_ADD_TYPE_ID(troupe, (troupe::reject_gradients))

CAF_ADD_TYPE_ID(troupe, (troupe::step_set))
CAF_ADD_TYPE_ID(troupe, (std::vector<troupe::step>))
CAF_ADD_TYPE_ID(troupe, (troupe::plan_part))
CAF_ADD_TYPE_ID(troupe, (std::vector<troupe::plan_part>))
CAF_ADD_TYPE_ID(troupe, (troupe::request_plan))
CAF_ADD_TYPE_ID(troupe, (troupe::ring_chunk))
CAF_ADD_TYPE_ID(troupe, (troupe::step_plan))

CAF_ADD_TYPE_ID(troupe, (troupe::optimizer_description))
CAF_ADD_TYPE_ID(troupe, (std::vector<troupe::role_id>))

CAF_ADD_TYPE_ID(troupe, (troupe::acquire_lock))
CAF_ADD_TYPE_ID(troupe, (troupe::fencing_token))
CAF_ADD_TYPE_ID(troupe, (troupe::lock_granted))
CAF_ADD_TYPE_ID(troupe, (troupe::lock_refused))
CAF_ADD_TYPE_ID(troupe, (troupe::lock_released))
CAF_ADD_TYPE_ID(troupe, (troupe::release_lock))
CAF_ADD_TYPE_ID(troupe, (troupe::renew_lock))

CAF_ADD_TYPE_ID(troupe, (troupe::leave_run))

CAF_ADD_TYPE_ID(troupe, (troupe::follow_shard))
CAF_ADD_TYPE_ID(troupe, (troupe::hand_over_shard))
CAF_ADD_TYPE_ID(troupe, (troupe::replicate_sums))
CAF_ADD_TYPE_ID(troupe, (troupe::replicate_update))
CAF_ADD_TYPE_ID(troupe, (troupe::shard_replicated))
CAF_ADD_TYPE_ID(troupe, (troupe::shard_state))
CAF_ADD_TYPE_ID(troupe, (troupe::sums_replicated))
CAF_ADD_TYPE_ID(troupe, (troupe::update_replicated))
CAF_ADD_TYPE_ID(troupe, (std::vector<troupe::block_id>))

CAF_ADD_TYPE_ID(troupe, (troupe::lease_split))
CAF_ADD_TYPE_ID(troupe, (troupe::offer_help))
CAF_ADD_TYPE_ID(troupe, (troupe::split_lease))
CAF_ADD_TYPE_ID(troupe, (troupe::gossip_parameters))

CAF_ADD_TYPE_ID(troupe, (troupe::need_samples))
CAF_ADD_TYPE_ID(troupe, (troupe::request_checksum))
CAF_ADD_TYPE_ID(troupe, (troupe::request_samples))
CAF_ADD_TYPE_ID(troupe, (troupe::samples))
CAF_ADD_TYPE_ID(troupe, (troupe::samples_checksum))
CAF_ADD_TYPE_ID(troupe, (troupe::samples_held))

CAF_ADD_TYPE_ID(troupe, (troupe::flow_credit))
CAF_ADD_TYPE_ID(troupe, (troupe::flow_item))
CAF_ADD_TYPE_ID(troupe, (troupe::flow_open))

CAF_ADD_TYPE_ID(troupe, (troupe::actor_spawned))
CAF_ADD_TYPE_ID(troupe, (troupe::link_measured))
CAF_ADD_TYPE_ID(troupe, (troupe::measure_link))
CAF_ADD_TYPE_ID(troupe, (troupe::ping))
CAF_ADD_TYPE_ID(troupe, (troupe::pong))
CAF_ADD_TYPE_ID(troupe, (troupe::spawn_actor))

CAF_ADD_TYPE_ID(troupe, (troupe::claim_lead))
CAF_ADD_TYPE_ID(troupe, (troupe::follow_job))
CAF_ADD_TYPE_ID(troupe, (troupe::following))
CAF_ADD_TYPE_ID(troupe, (troupe::job_ended))
CAF_ADD_TYPE_ID(troupe, (troupe::keep_state))
CAF_ADD_TYPE_ID(troupe, (troupe::lead_answer))
CAF_ADD_TYPE_ID(troupe, (troupe::release_lead))
CAF_ADD_TYPE_ID(troupe, (troupe::state_kept))

CAF_END_TYPE_ID_BLOCK(troupe)

namespace troupe {

/// Makes the message types known to CAF; call once per process before the first actor system. Idempotent.
void register_messages();

} // namespace troupe
