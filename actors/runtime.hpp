#pragma once

#include <caf/actor_system.hpp>
#include <functional>
#include <memory>
#include <stop_token>

#include "actors/link_settings.hpp"
#include "supervision/run_tree.hpp"

namespace troupe {

struct link_config;

/// Options of a runtime.
struct runtime_options {
  bool network = false; ///< loads CAF's I/O module, for topologies that reach beyond this process
  unsigned workers = 0; ///< threads that run actors; 0: one per core, at least 2
  link_settings link;   ///< with the network: who may talk to this process
};

/// An actor system set up for training: actors wake fast, sleep without polling (compute lanes need the cores), and
/// Troupe's messages are known. Ends only when all its actors have ended.
class runtime {
public:
  explicit runtime(runtime_options options = {});
  ~runtime();
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  [[nodiscard]] caf::actor_system& system() { return *system_; }
  [[nodiscard]] const link_settings& link() const;

  /// Runs a tree until it ends and says why it did. Blocks. `stop` stops the tree in reverse start order, or calls
  /// `on_stop` instead, where there is a gentler way.
  expected<tree_end> run(const supervision_tree& tree, const std::stop_token& stop = {},
                         std::function<void()> on_stop = {},
                         std::function<void(const supervision_report&)> on_report = {});

private:
  std::unique_ptr<link_config> config_;
  std::unique_ptr<caf::actor_system> system_;
};

} // namespace troupe
