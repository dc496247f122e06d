#pragma once

#include <functional>
#include <memory>

#include "actors/coordinator.hpp"
#include "actors/hosted_job.hpp"
#include "actors/job.hpp"

namespace troupe {

/// Where a run begins: the newest good checkpoint (`resume`), a safetensors file (`init`), or parameters drawn from the
/// seed. Notes say what was resumed, and which damaged checkpoint was passed over.
expected<std::shared_ptr<const model_state>> initial_state(const job_options& o, const hosted_job& job,
                                                           const job_observer& observer);

/// What finds the state that a run goes back to, for `coordinator::config::restore`: the newest good checkpoint, else
/// where it began.
std::function<expected<std::shared_ptr<const model_state>>()>
last_good_state(const job_options& o, std::shared_ptr<const hosted_job> job,
                std::shared_ptr<const model_state> initial);

/// What writes the job's checkpoints, for `coordinator::config::save`.
std::function<expected<void>(const model_state&, fencing_token)>
checkpoint_writer(const job_options& o, std::shared_ptr<const hosted_job> job);

} // namespace troupe
