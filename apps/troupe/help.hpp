#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::command {

/// The help text of an app or subcommand: description (usage included), options by group with their defaults in
/// brackets, footer.
std::string help_text(const CLI::App& app);

/// The name of `known` nearest to `wrong`, if it is near enough to be what was meant; else empty.
std::string nearest(std::string_view wrong, const std::vector<std::string>& known);

} // namespace troupe::command
