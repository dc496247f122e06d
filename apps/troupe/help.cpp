#include "apps/troupe/help.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace troupe::command {

namespace {

constexpr size_t text_column = 28;
constexpr size_t line_width = 100;

/// Breaks `text` at spaces into lines that fit right of `text_column`.
std::vector<std::string> wrapped(const std::string& text) {
  std::vector<std::string> lines{""};
  for (const auto& word : CLI::detail::split(text, ' ')) {
    auto& line = lines.back();
    if (line.empty())
      line = word;
    else if (text_column + line.size() + 1 + word.size() <= line_width)
      line += ' ' + word;
    else
      lines.push_back(word);
  }
  return lines;
}

std::string option_lines(const std::string& left, const std::string& text) {
  std::string out = "  " + left;
  if (out.size() + 2 > text_column)
    out += '\n';
  size_t at = out.back() == '\n' ? 0 : out.size();
  for (const auto& line : wrapped(text)) {
    out += std::string(text_column - at, ' ') + line + '\n';
    at = 0;
  }
  return out;
}

std::string option_lines(const CLI::Option& option) {
  auto left = option.get_name(false, true);
  if (!option.get_option_text().empty())
    left += ' ' + option.get_option_text();
  auto text = option.get_description();
  if (!option.get_default_str().empty())
    text += fmt::format(" [{}]", option.get_default_str());
  return option_lines(left, text);
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const auto replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

} // namespace

std::string help_text(const CLI::App& app) {
  std::string out = app.get_description() + '\n';
  for (const auto& group : app.get_groups()) {
    if (group.empty())
      continue; // hidden
    const auto options = app.get_options(
      [&](const CLI::Option* option) { return option->get_group() == group && option->nonpositional(); });
    if (options.empty())
      continue;
    out += '\n' + group + "\n";
    for (const auto* option : options)
      out += option_lines(*option);
  }
  if (!app.get_footer().empty())
    out += '\n' + app.get_footer() + '\n';
  return out;
}

std::string nearest(std::string_view wrong, const std::vector<std::string>& known) {
  std::string best;
  size_t best_distance = 1 + wrong.size() / 3; // a third of the letters wrong is another word
  for (const auto& name : known) {
    const auto distance = edit_distance(wrong, name);
    if (distance <= best_distance && (best.empty() || distance < best_distance)) {
      best = name;
      best_distance = distance;
    }
  }
  return best;
}

} // namespace troupe::command
