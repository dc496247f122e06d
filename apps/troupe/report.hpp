#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "actors/job.hpp"
#include "messages/failure.hpp"

namespace troupe::command {

/// Largest resident memory so far, in bytes.
struct peak_memory {
  uint64_t process = 0;  ///< of this process
  uint64_t children = 0; ///< of its largest child that has ended (worker processes)
};

peak_memory measure_peak_memory();

/// The report of a run. Keys of `options` are those of job files, so that they describe the run again; losses are pairs
/// [step, loss], accuracies one per epoch, memory in bytes.
nlohmann::ordered_json report_of(const job_options& job, const job_report& report, peak_memory memory);

/// Refuses a path whose folder is missing or cannot be written to, before a run that would end in vain.
expected<void> can_write(const std::string& path);

/// Writes a report; a file that is there already is replaced by the whole of it, or stays as it was.
expected<void> write_report(const std::string& path, const nlohmann::ordered_json& report);

} // namespace troupe::command
