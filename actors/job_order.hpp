#pragma once

#include "actors/hosted_job.hpp"
#include "actors/job.hpp"
#include "messages/leadership.hpp"

namespace troupe {

/// What a standby is told of the job that `what` describes. `o` is resolved.
follow_job order_of(const job_options& o, const job_description& what);

/// The job as a standby would lead it, with the leader's options, but for files. `opened` from the order's description.
/// One sentence where the order is none that a leader gives.
expected<job_options> options_of(const follow_job& order, const hosted_job& opened);

} // namespace troupe
