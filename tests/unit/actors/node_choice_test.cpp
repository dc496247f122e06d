#include "actors/node_choice.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

const auto start = node_choice::time_point{} + 1h;

} // namespace

TEST_CASE("agents start at home, spread over the nodes") {
  const auto nodes = node_choice{2};
  CHECK(nodes.pick(0, start).node == 0);
  CHECK(nodes.pick(1, start).node == 1);
  CHECK(nodes.pick(2, start).node == 0);
}

TEST_CASE("a node where a start has failed is left out, for longer each time, and others take its agents") {
  auto nodes = node_choice{3};
  nodes.failed(1, start);
  CHECK(nodes.pick(1, start).node == 2);
  CHECK(nodes.pick(0, start).node == 0);
  CHECK(nodes.pick(1, start + 1s).node == 1);
  nodes.failed(1, start + 1s);
  CHECK(nodes.pick(1, start + 2s).node == 2);
  CHECK(nodes.pick(1, start + 3s).node == 1);
  for (int i = 0; i < 20; ++i)
    nodes.failed(1, start + 3s);
  CHECK(nodes.pick(1, start + 62s).node == 2);
  CHECK(nodes.pick(1, start + 63s).node == 1);
}

TEST_CASE("a start that succeeds makes a node as good as new") {
  auto nodes = node_choice{2};
  nodes.failed(0, start);
  nodes.failed(0, start);
  nodes.succeeded(0, 0);
  CHECK(nodes.pick(0, start).node == 0);
  nodes.failed(0, start);
  CHECK(nodes.pick(0, start + 1s).node == 0);
}

TEST_CASE("where no node is good the agent waits until the first is good again") {
  auto nodes = node_choice{2};
  nodes.failed(1, start);
  nodes.failed(0, start + 100ms);
  const auto choice = nodes.pick(1, start + 200ms);
  CHECK_FALSE(choice.node);
  CHECK(choice.until == start + 1s);
}

TEST_CASE("a node that has no place for one agent may have one for another, and is asked again, after three seconds at "
          "most") {
  auto nodes = node_choice{2};
  nodes.refused(0, 0, start);
  CHECK(nodes.pick(0, start).node == 1);
  CHECK(nodes.pick(2, start).node == 0);
  nodes.refused(0, 1, start + 10ms);
  const auto choice = nodes.pick(0, start + 20ms);
  CHECK_FALSE(choice.node);
  CHECK(choice.until == start + 500ms);
  CHECK(nodes.pick(0, start + 500ms).node == 0);
  for (int i = 0; i < 20; ++i)
    nodes.refused(0, 0, start + 1s);
  CHECK(nodes.pick(0, start + 2s).node == 1);
  nodes.refused(0, 1, start + 2s);
  CHECK(nodes.pick(0, start + 3s).node == 1); // the pause before was half a second
  nodes.refused(0, 1, start + 3s);
  CHECK(nodes.pick(0, start + 4s).node == 0);
}

TEST_CASE("of nodes that have refused an agent the one is asked that did so longest ago") {
  auto nodes = node_choice{3};
  nodes.refused(0, 0, start + 2s);
  nodes.refused(0, 1, start);
  nodes.refused(0, 2, start + 1s);
  CHECK(nodes.pick(0, start + 10s).node == 1);
  nodes.refused(0, 1, start + 10s);
  CHECK(nodes.pick(0, start + 20s).node == 2);
}

TEST_CASE("an agent that has got a place has been refused by nobody") {
  auto nodes = node_choice{2};
  for (int i = 0; i < 5; ++i)
    nodes.refused(0, 0, start);
  nodes.refused(1, 0, start);
  nodes.succeeded(0, 1);
  CHECK(nodes.pick(0, start).node == 0);
  CHECK(nodes.pick(1, start).node == 1);
}
