#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "actors/job.hpp"

/// How the values of enumerations are spelled on the command line, in job files and in reports.
namespace troupe::command {

template <class Enum, size_t Size>
using name_table = std::array<std::pair<std::string_view, Enum>, Size>;

inline constexpr name_table<learn::precision, 2> precision_names{
  {{"f32", learn::precision::f32}, {"bf16", learn::precision::bf16}}};

inline constexpr name_table<isolation, 2> isolation_names{
  {{"thread", isolation::thread}, {"process", isolation::process}}};

inline constexpr name_table<nonfinite, 3> nonfinite_names{
  {{"stop", nonfinite::stop}, {"skip", nonfinite::skip}, {"rewind", nonfinite::rewind}}};

inline constexpr name_table<learn::order_kind, 2> order_names{
  {{"shuffled", learn::order_kind::shuffled}, {"sequential", learn::order_kind::sequential}}};

inline constexpr name_table<learn::exchange_kind, 3> exchange_names{{{"global", learn::exchange_kind::global},
                                                                     {"static", learn::exchange_kind::fixed},
                                                                     {"rotate", learn::exchange_kind::rotating}}};

inline constexpr name_table<stop_reason, 4> stop_reason_names{{{"epochs done", stop_reason::epochs_done},
                                                               {"steps done", stop_reason::steps_done},
                                                               {"target reached", stop_reason::target_reached},
                                                               {"interrupted", stop_reason::interrupted}}};

template <class Enum, size_t Size>
constexpr std::optional<Enum> value_of(const name_table<Enum, Size>& table, std::string_view name) {
  for (const auto& [spelling, value] : table)
    if (spelling == name)
      return value;
  return std::nullopt;
}

template <class Enum, size_t Size>
std::string name_of(const name_table<Enum, Size>& table, Enum wanted) {
  for (const auto& [spelling, value] : table)
    if (value == wanted)
      return std::string{spelling};
  return "?";
}

} // namespace troupe::command
