#pragma once

#include <vector>

#include "actors/job.hpp"
#include "supervision/fault_points.hpp"

namespace troupe {

/// Arms the faults of a job in this process, and in the worker processes that it starts (by the environment variable
/// TROUPE_FAULTS), until it goes away.
class planned_faults {
public:
  explicit planned_faults(const std::vector<fault>& faults);
  planned_faults(const planned_faults&) = delete;
  planned_faults& operator=(const planned_faults&) = delete;
  ~planned_faults();

private:
  bool any_;
};

/// Arms what TROUPE_FAULTS says; for a process that hosts agents. One sentence where it is not understood.
expected<void> arm_inherited_faults();

/// Refuses a fault of a role or place that the job does not have, or that its place cannot carry out.
expected<void> check_faults(const job_options& resolved);

} // namespace troupe
