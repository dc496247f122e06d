#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "apps/troupe/options.hpp"

namespace troupe::command {

/// The options of `troupe train`, declared on a CLI11 subcommand that outlives this object.
class train_options {
public:
  explicit train_options(CLI::App& app);

  /// To be called when the command line is parsed: adds the job file's values, and defaults that depend on others.
  expected<train> finish();

private:
  void declare_model_and_data();
  void declare_training();
  void declare_agents();
  void declare_checkpoints();
  void declare_output();
  expected<void> apply_job_file();

  CLI::App& app_;
  train result_;
  // Values whose spelling is not their type's.
  std::string job_file_;
  std::string optimizer_;
  std::string schedule_ = "cosine";
  std::string precision_;
  std::string agents_ = "1";
  std::string isolation_;
  std::string order_;
  std::string exchange_;
  std::string on_nan_;
  std::string staleness_;
  std::string combine_;
  std::string compression_;
  std::string place_;
  uint64_t handler_limit_ = 0;
  uint64_t wait_for_nodes_ = 0;
  std::vector<std::string> changes_;
  std::vector<std::string> faults_;
  bool no_augment_ = false;
  bool no_evaluate_ = false;
};

} // namespace troupe::command
