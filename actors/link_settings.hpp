#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "actors/link_identity.hpp"
#include "actors/link_limits.hpp"
#include "messages/nodes.hpp"

namespace troupe {

/// How the processes of a job know each other. The same for all connections of a process.
struct link_settings {
  /// Null: no TLS. Then anybody who reaches the port and speaks the protocol is let through.
  std::shared_ptr<const link_identity> identity = nullptr;
  /// That the other side has to know, too; never sent. Empty: none.
  std::string secret = {};
  link_limits limits = {};
  /// Of a worker process: the first whom it lets in is its leader, and any other is a worker process, too.
  bool is_worker = false;
  uint32_t protocol = protocol_version;                 ///< tests pretend to be another version
  std::function<void(const std::string&)> on_line = {}; ///< a line of the log; empty: standard error
};

/// What `--certs` says, or nothing where it is empty. One sentence where the folder is not good.
expected<std::shared_ptr<const link_identity>> identity_in(const std::string& folder);

/// A secret for the processes of one run on one machine, which nobody else can guess.
std::string draw_secret();

/// The secret that this process was given by the one that has started it, in its environment, and takes it from there.
/// Empty: none.
std::string inherited_secret();
/// The same as the parent says it: NAME=VALUE.
std::string secret_for_child(const std::string& secret);
/// Whether a line of an environment is that.
bool is_secret(std::string_view variable);

} // namespace troupe
