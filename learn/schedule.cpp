#include "learn/schedule.hpp"

#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <numbers>
#include <optional>
#include <string_view>

namespace troupe::learn {

namespace {

constexpr std::string_view warmup_prefix = "warmup:";
constexpr std::string_view step_prefix = "step:";

tl::unexpected<failure> refuse(const std::string& text, std::string_view why) {
  return fail(fmt::format("cannot read schedule '{}': {}; write constant, cosine or step:EVERY[:FACTOR], optionally "
                          "after warmup:STEPS and a comma",
                          text, why));
}

/// All of `text` as a number, or nothing.
template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

} // namespace

expected<schedule_options> parse_schedule(const std::string& text) {
  schedule_options options;
  std::string_view shape = text;
  if (shape.starts_with(warmup_prefix)) {
    const auto comma = shape.find(',');
    const auto steps = number<uint64_t>(shape.substr(warmup_prefix.size(), comma - warmup_prefix.size()));
    if (comma == std::string_view::npos)
      return refuse(text, "no shape follows the warm-up");
    if (!steps || *steps == 0)
      return refuse(text, "the warm-up is not a positive number of steps");
    options.warmup_steps = *steps;
    shape.remove_prefix(comma + 1);
  }
  if (shape == "constant")
    return options;
  if (shape == "cosine") {
    options.kind = schedule_kind::cosine;
    return options;
  }
  if (!shape.starts_with(step_prefix))
    return refuse(text, fmt::format("there is no shape '{}'", shape));
  shape.remove_prefix(step_prefix.size());
  const auto colon = shape.find(':');
  const auto every = number<uint64_t>(shape.substr(0, colon));
  if (!every || *every == 0)
    return refuse(text, "EVERY is not a positive number of steps");
  options.kind = schedule_kind::step;
  options.step_every = *every;
  if (colon != std::string_view::npos) {
    const auto factor = number<float>(shape.substr(colon + 1));
    if (!factor || !(*factor > 0) || !std::isfinite(*factor))
      return refuse(text, "FACTOR is not a positive number");
    options.step_factor = *factor;
  }
  return options;
}

float learning_rate(const schedule_options& options, float base, uint64_t step) {
  const auto rate = static_cast<double>(base);
  if (step < options.warmup_steps)
    return static_cast<float>(rate * static_cast<double>(step + 1) / static_cast<double>(options.warmup_steps));
  switch (options.kind) {
  case schedule_kind::constant:
    return base;
  case schedule_kind::step: {
    if (options.step_every == 0)
      return base;
    const uint64_t times = step / options.step_every; // whole ones
    return static_cast<float>(rate * std::pow(static_cast<double>(options.step_factor), static_cast<double>(times)));
  }
  case schedule_kind::cosine: {
    if (options.total_steps <= options.warmup_steps)
      return base;
    if (step >= options.total_steps)
      return 0;
    const auto done = static_cast<double>(step - options.warmup_steps);
    const auto all = static_cast<double>(options.total_steps - options.warmup_steps);
    return static_cast<float>(rate * 0.5 * (1 + std::cos(std::numbers::pi * done / all)));
  }
  }
  return base;
}

} // namespace troupe::learn
