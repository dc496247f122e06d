// S9 and T7: what is told.

#include <catch2/catch_test_macros.hpp>

#include "supervision/report.hpp"

using namespace troupe;

TEST_CASE("S9: a report names supervisor, child, incarnation, reason with its causes, and the decision") {
  supervision_report r{"training/agents", "agent/3", incarnation{5},
                       caused(exit_kind::error, "cannot read shard 2", {exit_kind::error, {"bad magic"}}),
                       decision::restart};
  CHECK(to_string(r) ==
        "agent/3 #5 of training/agents ended: cannot read shard 2: bad magic; training/agents restarts it");
}

TEST_CASE("T7: a cause that is explained shows one link a line, the outermost first") {
  auto cause = caused(exit_kind::escalated, "supervisor a gave up", {exit_kind::kill, {}});
  CHECK(explain(cause) == "supervisor a gave up\n  caused by kill");
  CHECK(explain({exit_kind::shutdown, {}}) == "shutdown");
}
