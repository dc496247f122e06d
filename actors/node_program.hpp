#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "actors/job.hpp"
#include "actors/spawnable.hpp"

namespace troupe {

/// Makes a program a node as well: called as `PROGRAM node --listen HOST:PORT …` it waits there, starts actors of these
/// types for whoever may connect, and agents as `troupe node` does, until SIGTERM or Ctrl-C; the answer is the exit
/// code then. Called otherwise it is nothing, and the program goes on. Begin `main` with it, before any thread:
///
///     if (auto code = run_as_node(argc, argv, {greeters}))
///       return *code;
///
/// With it, a program's own worker processes (`isolation::process`) are of the same program, too.
std::optional<int> run_as_node(int count, char** arguments, std::vector<registered_type> types = {});

/// What the words after `node` say. One sentence for the first that is wrong.
expected<node_options> parse_node(std::span<const char* const> words);

/// Runs a node until a signal ends it, or its parent, and says what goes wrong on standard error; `name` is that of the
/// program. The exit code: 0 ended in order, 1 failed, 2 cannot run as described.
int serve_as_node(const node_options& options, const std::string& name);

} // namespace troupe
