#include "supervision/fault.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>
#include <vector>

namespace troupe {

namespace {

using namespace std::chrono_literals;

struct spelling {
  fault_kind kind;
  std::string_view name;
  bool takes_time = false;
};

constexpr std::array spellings = {
  spelling{fault_kind::exception, "exception"},
  spelling{fault_kind::error, "error"},
  spelling{fault_kind::kill_actor, "kill"},
  spelling{fault_kind::kill_process, "kill-process"},
  spelling{fault_kind::stop_process, "stop-process", true},
  spelling{fault_kind::stall, "stall", true},
  spelling{fault_kind::nan, "nan"},
  spelling{fault_kind::poison, "poison"},
  spelling{fault_kind::drop, "drop"},
  spelling{fault_kind::delay, "delay", true},
  spelling{fault_kind::duplicate, "duplicate"},
  spelling{fault_kind::disk_full, "disk-full"},
  spelling{fault_kind::torn_write, "torn-write"},
  spelling{fault_kind::leave, "leave"},
};

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional{value} : std::nullopt;
}

/// "2s", "300ms", "1min": up to a day, so that nothing overflows.
std::optional<nanoseconds> duration(std::string_view text) {
  for (const auto& [unit, length] :
       {std::pair{"ms", nanoseconds{1ms}}, {"min", nanoseconds{1min}}, {"s", nanoseconds{1s}}})
    if (text.ends_with(unit)) {
      const auto n = number(text.substr(0, text.size() - std::string_view{unit}.size()));
      return n && *n > 0 && *n <= 86'400'000 && static_cast<int64_t>(*n) <= 24h / length
               ? std::optional{static_cast<int64_t>(*n) * length}
               : std::nullopt;
    }
  return std::nullopt;
}

} // namespace

std::string_view to_string(fault_kind kind) {
  return std::find_if(spellings.begin(), spellings.end(), [&](const auto& s) { return s.kind == kind; })->name;
}

expected<fault> parse_fault(const std::string& text) {
  const std::string_view all = text;
  const auto colon = all.find(':');
  const auto place = all.substr(0, colon);
  const auto at = place.find('@');
  fault result{.where = std::string{place.substr(0, at)}};
  if (colon == std::string_view::npos || result.where.empty())
    return fail(
      fmt::format("\"{}\" is no fault: write WHERE[@step=N]:KIND[=TIME], for example agent/1@step=20:kill", text));
  if (at != std::string_view::npos) {
    const auto condition = place.substr(at + 1);
    if (condition.starts_with("step="))
      result.step = number(condition.substr(5));
    if (!result.step)
      return fail(fmt::format("\"@{}\" is no condition: write @step=N, for example agent/1@step=20:kill", condition));
  }
  const auto what = all.substr(colon + 1);
  const auto equals = what.find('=');
  const auto name = what.substr(0, equals);
  const auto known = std::find_if(spellings.begin(), spellings.end(), [&](const auto& s) { return s.name == name; });
  if (known == spellings.end()) {
    std::vector<std::string_view> names;
    names.reserve(spellings.size());
    for (const auto& s : spellings)
      names.push_back(s.name);
    return fail(fmt::format("there is no kind of fault \"{}\": choose one of {}", name, fmt::join(names, ", ")));
  }
  result.kind = known->kind;
  if (!known->takes_time && equals != std::string_view::npos)
    return fail(fmt::format("{} takes no time: leave \"{}\" out", name, what.substr(equals)));
  if (known->takes_time && equals == std::string_view::npos)
    return fail(fmt::format("{} has to know for how long: write for example {}=2s", name, name));
  if (known->takes_time) {
    const auto time = duration(what.substr(equals + 1));
    if (!time)
      return fail(
        fmt::format("\"{}\" is no time: write for example 2s, 300ms or 1min, up to a day", what.substr(equals + 1)));
    result.time = *time;
  }
  return result;
}

std::string to_string(const fault& what) {
  auto text = what.where;
  if (what.step)
    text += fmt::format("@step={}", *what.step);
  text += fmt::format(":{}", to_string(what.kind));
  if (what.time > 0ns)
    text += fmt::format("={}ms", what.time / 1ms);
  return text;
}

} // namespace troupe
