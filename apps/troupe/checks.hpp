#pragma once

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <vector>

#include "messages/failure.hpp"

/// What the text after an option must look like. Each check answers with the rest of the sentence "--epochs …".
namespace troupe::command {

inline CLI::Validator whole_number(uint64_t least, uint64_t most) {
  return {[=](std::string& text) -> std::string {
            uint64_t value = 0;
            const auto* end = text.data() + text.size();
            const auto [stopped, error] = std::from_chars(text.data(), end, value);
            if (error == std::errc{} && stopped == end && value >= least && value <= most)
              return {};
            if (most == UINT64_MAX)
              return fmt::format("takes a whole number from {} on, not '{}'", least, text);
            return fmt::format("takes a whole number from {} to {}, not '{}'", least, most, text);
          },
          ""};
}

inline CLI::Validator real_number(double least, double most) {
  return {[=](std::string& text) -> std::string {
            double value = 0;
            const auto* end = text.data() + text.size();
            const auto [stopped, error] = std::from_chars(text.data(), end, value);
            if (error == std::errc{} && stopped == end && std::isfinite(value) && value >= least && value <= most)
              return {};
            if (std::isinf(most))
              return fmt::format("takes a number from {} on, not '{}'", least, text);
            return fmt::format("takes a number from {} to {}, not '{}'", least, most, text);
          },
          ""};
}

inline CLI::Validator one_of(std::vector<std::string> names) {
  return {[names = std::move(names)](std::string& text) -> std::string {
            for (const auto& name : names)
              if (name == text)
                return {};
            return names.size() == 1 ? fmt::format("takes {}, not '{}'", names.front(), text)
                                     : fmt::format("takes one of {}, not '{}'", CLI::detail::join(names, ", "), text);
          },
          ""};
}

template <class Table>
CLI::Validator one_of_table(const Table& table) {
  std::vector<std::string> names;
  names.reserve(std::size(table));
  for (const auto& entry : table)
    names.emplace_back(entry.first);
  return one_of(std::move(names));
}

/// A check by a function that parses: its failure's sentence is the answer.
template <class Parse>
CLI::Validator parsed_by(Parse parse) {
  return {[parse](std::string& text) -> std::string {
            const auto value = parse(text);
            return value ? std::string{} : "is not understood: " + value.error().sentence;
          },
          ""};
}

inline CLI::Validator host_and_port() {
  return {[](std::string& text) -> std::string {
            const auto colon = text.rfind(':');
            uint16_t port = 0;
            if (colon != std::string::npos && colon > 0) {
              const auto* first = text.data() + colon + 1;
              const auto* end = text.data() + text.size();
              const auto [stopped, error] = std::from_chars(first, end, port);
              if (error == std::errc{} && stopped == end)
                return {};
            }
            return fmt::format("takes HOST:PORT with a port from 0 to 65535, not '{}'", text);
          },
          ""};
}

/// What CLI11 refused, as a sentence that starts with the option's name.
inline std::string sentence(const CLI::Error& error) {
  const std::string_view what = error.what();
  const auto colon = what.find(": ");
  const auto option = what.substr(0, colon);
  if (error.get_name() == "ValidationError" && colon != std::string_view::npos)
    return fmt::format("{} {}", option, what.substr(colon + 2));
  if (error.get_name() == "ArgumentMismatch" && colon != std::string_view::npos)
    return fmt::format("{} needs a value", option);
  return std::string{what};
}

} // namespace troupe::command
