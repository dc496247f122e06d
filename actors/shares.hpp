#pragma once

#include <cstdint>
#include <vector>

namespace troupe {

/// How many of a step's micro-batches each agent gets, so that the last one is done as early as possible. `seconds`:
/// what a micro-batch takes each, 0 where that is not known, which counts as the mean of the others. Equal parts, which
/// fit the sum's tree best, unless others are done a fifth sooner; nobody gets none while there is one for each. The
/// bits of the result do not depend on it (R6).
std::vector<uint64_t> shares(uint64_t micro_batches, std::vector<double> seconds);

/// How many of the `waiting` micro-batches that an agent has not begun it gives to one that is done with its own, so
/// that both are done as early as possible. None where less than two wait, or what is left would not be done a fifth
/// sooner. Seconds: what a micro-batch takes each, 0 where that is not known, which counts as the other's.
uint64_t worth_giving(uint64_t waiting, double seconds, double others);

} // namespace troupe
