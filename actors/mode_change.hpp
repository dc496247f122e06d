#pragma once

#include <vector>

#include "actors/job.hpp"

namespace troupe {

/// A part of a run during which agents synchronise in one way.
struct run_part {
  job_options options; ///< without changes
  uint64_t until = 0;  ///< the step with which the next part begins; 0: it goes to the end of the run
};

/// "200:sync=ring"; one sentence where the text is not a change, or where the value is none of that option.
expected<mode_change> parse_mode_change(const std::string& text);
std::string to_string(const mode_change& c);

/// The parts that the options' changes cut a run into, in their order. A change stands until another one of the same
/// option. One sentence where a part cannot run as described, where it has no step, or where a fault fits none of them.
expected<std::vector<run_part>> parts_of(const job_options& options);

/// What two parts of a run yielded, one after the other.
job_report merge(job_report first, const job_report& then);

} // namespace troupe
