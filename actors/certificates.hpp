#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "messages/failure.hpp"

namespace troupe {

/// Certificates to make for the processes of a job.
struct certificates_order {
  std::filesystem::path folder;
  std::string job; ///< its name; may be empty where the folder has a CA already
  /// One each: a host name or address as the others dial it, or several of the same node: "a,10.0.0.1".
  std::vector<std::string> nodes;
  std::chrono::days valid{365};
  std::chrono::system_clock::time_point from = std::chrono::system_clock::now();
};

/// Makes, in the folder, `ca` with the job's CA unless it is there, and for each node a folder of its first name; with
/// a new CA also `leader`, for the process that runs the job, which nobody dials. Each has `ca.pem`, `cert.pem` and
/// `key.pem` (P-256, mode 0600); only `ca/key.pem` can make more of them and stays where it is. Overwrites nothing.
/// Gives the folders that it made; otherwise a sentence on what is there already, what is no name, or what cannot be
/// written.
expected<std::vector<std::filesystem::path>> make_certificates(const certificates_order& order);

} // namespace troupe
