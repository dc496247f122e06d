#pragma once

#include <string_view>

#include "messages/ids.hpp"
#include "supervision/spec.hpp"

namespace troupe {

/// The wait before restart `k` in a row, from 0 (T1). The jitter is a pure function of seed, child and incarnation, so
/// that a simulation replays it (R10).
nanoseconds backoff_delay(const supervisor_spec& spec, std::string_view child, incarnation number, uint32_t k);

} // namespace troupe
