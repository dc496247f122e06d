#include "apps/troupe/job_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <optional>
#include <sstream>
#include <toml++/toml.h>

namespace troupe::command {

namespace {

std::string place(const std::string& path, const toml::source_region& region) {
  return fmt::format("{}:{}", path, region.begin.line);
}

/// The spelling of a single value on a command line; none for tables, arrays, dates and times.
std::optional<std::string> spelled(const toml::node& node) {
  if (const auto* text = node.as_string())
    return text->get();
  if (const auto* number = node.as_integer())
    return std::to_string(number->get());
  if (const auto* number = node.as_floating_point())
    return fmt::format("{}", number->get());
  if (const auto* truth = node.as_boolean())
    return std::string{truth->get() ? "true" : "false"};
  return std::nullopt;
}

std::optional<std::string> spelled_with_arrays(const toml::node& node) {
  const auto* array = node.as_array();
  if (!array)
    return spelled(node);
  std::string joined;
  for (const auto& element : *array) {
    const auto one = spelled(element);
    if (!one)
      return std::nullopt;
    joined += joined.empty() ? *one : ',' + *one;
  }
  return joined;
}

expected<std::string> read_text(const std::string& path) {
  std::ifstream file(path);
  if (!file)
    return fail(fmt::format("cannot open the job file {}: {}", path, std::strerror(errno)));
  std::ostringstream text;
  if (file.peek() != std::ifstream::traits_type::eof())
    text << file.rdbuf(); // an empty file is a job file too
  if (file.bad() || text.fail())
    return fail(fmt::format("cannot read the job file {}: {}", path, std::strerror(errno)));
  return text.str();
}

/// A table knows its keys by name; a reader knows them by line.
std::vector<std::pair<std::string, const toml::node*>> in_file_order(const toml::table& table) {
  std::vector<std::pair<std::string, const toml::node*>> entries;
  for (const auto& [key, node] : table)
    entries.emplace_back(std::string{key.str()}, &node);
  std::ranges::sort(entries, {}, [](const auto& entry) { return entry.second->source().begin.line; });
  return entries;
}

} // namespace

expected<std::vector<job_file_entry>> read_job_file(const std::string& path) {
  const auto text = read_text(path);
  if (!text)
    return tl::unexpected(text.error());
  toml::table table;
  try {
    table = toml::parse(*text, path);
  } catch (const toml::parse_error& error) {
    return fail(fmt::format("{}: this is not TOML: {}", place(path, error.source()), error.description()));
  }
  std::vector<job_file_entry> entries;
  for (const auto& [name, node] : in_file_order(table)) {
    const auto where = place(path, node->source());
    if (node->is_table() || node->is_array_of_tables())
      return fail(
        fmt::format("{}: a job file has no tables, and [{}] is one: write its keys without a heading, spelled "
                    "like the options of `troupe train`",
                    where, name));
    const auto value = spelled_with_arrays(*node);
    if (!value)
      return fail(fmt::format("{}: {} takes a text, a number, true or false, or an array of these", where, name));
    entries.push_back({.key = name, .value = *value, .where = where});
  }
  return entries;
}

} // namespace troupe::command
