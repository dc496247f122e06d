#pragma once

#include <memory>
#include <vector>

#include "actors/job.hpp"
#include "supervision/fault_points.hpp"
#include "supervision/shared_flags.hpp"

namespace troupe {

/// Faults that are armed in this process, and in the worker processes that it starts, until this goes away. Each
/// happens once, in whichever process gets there first: workers get the plan in the environment variable TROUPE_FAULTS,
/// and in memory that all share what has happened of it. Move-only.
class planned_faults {
public:
  /// Those of a job.
  static expected<planned_faults> arm(const std::vector<fault>& faults);
  /// What TROUPE_FAULTS says, for a process that hosts agents. One sentence where it is not understood.
  static expected<planned_faults> arm_inherited();

  planned_faults(planned_faults&&) noexcept = default;
  planned_faults& operator=(planned_faults&&) = delete;
  ~planned_faults();

private:
  planned_faults() = default;
  static expected<planned_faults> arm(const std::vector<fault>& faults, expected<shared_flags> happened);

  std::unique_ptr<shared_flags> happened_; // null: there are none
};

/// Refuses a fault of a role or place that the job does not have, or that its place cannot carry out.
expected<void> check_faults(const job_options& resolved);

} // namespace troupe
