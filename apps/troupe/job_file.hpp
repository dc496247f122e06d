#pragma once

#include <string>
#include <vector>

#include "messages/failure.hpp"

namespace troupe::command {

/// `key = value` of a job file, the value spelled as on a command line; an array has its elements joined by commas.
struct job_file_entry {
  std::string key;
  std::string value;
  std::string where; ///< "job.toml:3"
};

/// Reads a job file: TOML with one key per option of `troupe train`, no tables. Fails with one sentence, led by file
/// and line, on what is not TOML, on tables and on values that no option could take (dates, nested arrays).
expected<std::vector<job_file_entry>> read_job_file(const std::string& path);

} // namespace troupe::command
