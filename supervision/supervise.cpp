#include "supervision/supervise.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace troupe {

namespace {

expected<void> validate_below(const supervision_tree& tree, const std::string& path) {
  auto spec = tree.spec();
  spec.name = path;
  for (const auto& node : tree.nodes())
    spec.children.push_back(node.spec);
  if (auto ok = validate(spec); !ok)
    return ok;
  for (const auto& node : tree.nodes()) {
    if (!node.tree)
      continue;
    if (auto ok = validate_below(*node.tree, path + '/' + node.spec.id); !ok)
      return ok;
  }
  return {};
}

std::string describe(const supervisor_spec& spec) {
  auto text =
    fmt::format("{}, at most {} restart{}{} in {}", to_string(spec.strategy), spec.limit.restarts,
                spec.limit.restarts == 1 ? "" : "s", spec.limit.each ? " of each" : "", to_string(spec.limit.period));
  if (spec.backoff.min > nanoseconds{0})
    text += fmt::format(", back-off {} to {}", to_string(spec.backoff.min), to_string(spec.backoff.max));
  if (spec.on_significant != any_significant)
    text += fmt::format(", ends on {}", to_string(spec.on_significant));
  return text;
}

std::string describe(const child_spec& spec) {
  std::string text{to_string(spec.restart)};
  if (spec.significant)
    text += ", significant";
  if (spec.shutdown)
    text += fmt::format(", shutdown within {}", to_string(*spec.shutdown));
  if (spec.start)
    text += fmt::format(", ready within {}", to_string(*spec.start));
  return text;
}

struct line {
  std::string drawing; ///< branch and name
  size_t columns = 0;  ///< of `drawing` on a terminal
  std::string what;
};

void draw(const supervision_tree& tree, const std::string& indent, size_t columns, std::vector<line>& lines) {
  for (const auto& node : tree.nodes()) {
    bool last = &node == &tree.nodes().back();
    lines.push_back({indent + (last ? "└─ " : "├─ ") + node.spec.id, columns + 3 + node.spec.id.size(), {}});
    if (!node.tree) {
      lines.back().what = describe(node.spec);
      continue;
    }
    // A supervisor is permanent as a rule: say so only where it is not.
    bool usual = node.spec.restart == permanent && !node.spec.shutdown && !node.spec.start;
    lines.back().what = describe(node.tree->spec()) + (usual ? "" : "; " + describe(node.spec));
    draw(*node.tree, indent + (last ? "   " : "│  "), columns + 3, lines);
  }
}

} // namespace

expected<void> validate(const supervision_tree& tree) {
  return validate_below(tree, tree.spec().name);
}

std::string print_tree(const supervision_tree& tree) {
  std::vector<line> lines{{tree.spec().name, tree.spec().name.size(), describe(tree.spec())}};
  draw(tree, "", 0, lines);
  size_t widest = 0;
  for (const auto& l : lines)
    widest = std::max(widest, l.columns);
  std::string text;
  for (const auto& l : lines)
    text += l.drawing + std::string(widest - l.columns + 2, ' ') + l.what + '\n';
  return text;
}

} // namespace troupe
