#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "messages/failure.hpp"

namespace troupe {

/// What a ledger says about a run.
struct audit_report {
  uint64_t first = 0; ///< step where the ledger begins; 0 unless the run was begun without one
  uint64_t steps = 0; ///< that took effect
  double epochs = 0;
  uint64_t samples = 0;      ///< that took effect
  uint64_t missing = 0;      ///< samples that should have and did not
  uint64_t doubled = 0;      ///< effects that samples had beyond their first
  uint64_t skipped = 0;      ///< steps that changed nothing since their gradient was not finite
  uint64_t attempts = 0;     ///< micro-batches that took more than one
  uint64_t incarnations = 0; ///< of agents, whose results took effect
  uint64_t begun = 0;        ///< files: the run was begun or resumed so often
  uint64_t rewinds = 0;
  uint64_t superseded = 0;           ///< steps that took no effect since the run went on from an earlier one
  std::vector<std::string> findings; ///< the first of them, a sentence each

  [[nodiscard]] bool is_good() const { return missing == 0 && doubled == 0; }
};

/// Checks a ledger (I1): every sample of every step once, and the very samples that the seed gives to its place.
/// `folder` is that of the ledger or of the checkpoints it belongs to. Fails where there is no ledger, or nothing in
/// it.
expected<audit_report> audit_ledger(const std::filesystem::path& folder);

/// As `troupe audit` prints it.
std::string to_string(const audit_report& r);

} // namespace troupe
