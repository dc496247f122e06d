#include <catch2/catch_test_macros.hpp>
#include <chrono>

#include "supervision/supervise.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

startable role(std::string name) {
  return {std::move(name), [](incarnation) -> started { return failure{"this one is only printed"}; }};
}

} // namespace

TEST_CASE("a tree prints as it reads, with strategy, limit and restart types in a column") {
  auto tree =
    supervise("training", rest_for_one, at_most(3, 1min))
      .child(supervise("shards", one_for_all).child({role("shard_holder/0"), role("shard_holder/1")}))
      .child(supervise("agents", one_for_one, at_most(16, 1min)).backoff({.min = 100ms}).child({role("agent/0")}),
             transient)
      .child(role("leader"), transient, significant, shutdown_within(2s), ready_within(90s));
  CHECK(print_tree(tree) == R"(training              rest_for_one, at most 3 restarts in 1 min
├─ shards             one_for_all, at most 1 restart in 5 s
│  ├─ shard_holder/0  permanent
│  └─ shard_holder/1  permanent
├─ agents             one_for_one, at most 16 restarts in 1 min, back-off 100 ms to 30 s; transient
│  └─ agent/0         permanent
└─ leader             transient, significant, shutdown within 2 s, ready within 90 s
)");
}

TEST_CASE("a limit that is each child's says so") {
  CHECK(print_tree(supervise("agents", one_for_one, at_most_of_each(16, 1min)).child(role("agent/0"))) ==
        "agents      one_for_one, at most 16 restarts of each in 1 min\n└─ agent/0  permanent\n");
}

TEST_CASE("a tree is validated at every level, and the supervisor at fault is named by its path") {
  auto tree = supervise("training").child(supervise("agents").child({role("agent/0"), role("agent/0")}));
  auto ok = validate(tree);
  REQUIRE_FALSE(ok);
  CHECK(ok.error().sentence ==
        "supervisor \"training/agents\": id \"agent/0\" is given to two children: each needs one of its own");
  CHECK(validate(supervise("training").child(supervise("agents").child(role("agent/0")))));
}

TEST_CASE("a tree that has a name can be added to") {
  auto tree = supervise("s");
  tree.child(role("a")).child(role("b"), temporary);
  REQUIRE(tree.nodes().size() == 2);
  CHECK(tree.nodes()[0].spec.restart == permanent);
  CHECK(tree.nodes()[1].spec.restart == temporary);
}
