#pragma once

#include <cstdint>
#include <string>

#include "messages/failure.hpp"

namespace troupe::learn {

/// The learning rate over a run: linear warm-up, then one of three shapes.
enum class schedule_kind : uint8_t { constant, step, cosine };

struct schedule_options {
  schedule_kind kind = schedule_kind::constant;
  uint64_t warmup_steps = 0; ///< rate rises linearly from rate/warmup to rate
  uint64_t step_every = 0;   ///< `step`: multiply by `step_factor` every so many steps
  float step_factor = 0.1f;
  uint64_t total_steps = 0; ///< `cosine`: reaches 0 there
};

/// "constant", "cosine", "step:EVERY[:FACTOR]", each optionally preceded by "warmup:STEPS," — one sentence where it is
/// not.
expected<schedule_options> parse_schedule(const std::string& text);

/// Rate of update number `step` (from 0).
float learning_rate(const schedule_options& options, float base, uint64_t step);

} // namespace troupe::learn
