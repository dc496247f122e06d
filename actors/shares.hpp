#pragma once

#include <cstdint>
#include <vector>

namespace troupe {

/// How many of a step's micro-batches each agent gets, so that the last one is done as early as possible. `seconds`:
/// what a micro-batch takes each, 0 where that is not known, which counts as the mean of the others. Equal parts, which
/// fit the sum's tree best, unless others are done a fifth sooner; nobody gets none while there is one for each. The
/// bits of the result do not depend on it (R6).
std::vector<uint64_t> shares(uint64_t micro_batches, std::vector<double> seconds);

} // namespace troupe
