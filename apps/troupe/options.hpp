#pragma once

#include <span>
#include <string>
#include <variant>

#include "actors/certificates.hpp"
#include "actors/job.hpp"
#include "actors/ping_nodes.hpp"
#include "messages/failure.hpp"

namespace troupe::command {

/// `troupe train`: a job and what the command itself does with it.
struct train {
  job_options job;
  std::string report;      ///< JSON file to write at the end; empty: none
  std::string events;      ///< file for events as they happen, JSON lines; empty: none
  bool print_tree = false; ///< print the supervision tree and train nothing
  bool quiet = false;      ///< print nothing but what goes wrong
};

/// `troupe node`.
struct node {
  node_options options;
};

/// `troupe standby`.
struct standby {
  standby_options options;
  std::string report; ///< as of `train`, of what it comes to lead
  std::string events;
};

/// `troupe audit`.
struct audit {
  std::string folder; ///< of a ledger, or of the checkpoints it belongs to
};

/// `troupe certs`.
struct certs {
  certificates_order order;
};

/// `troupe ping`.
struct ping_command {
  ping_options options;
  bool json = false; ///< for programs
};

/// What to print on standard output before ending with success: a help text or the version.
struct print_text {
  std::string text;
};

using request = std::variant<train, node, standby, audit, certs, ping_command, print_text>;

/// Understands a command line without the program's name. Values of a job file, if one is named, fill in what the
/// command line leaves open. Fails on what is unknown or not of the right kind, with one sentence that names the option
/// (and the line, if it stands in a file); whether the job can run is `troupe::validate`'s question.
expected<request> parse(std::span<const char* const> arguments);

} // namespace troupe::command
