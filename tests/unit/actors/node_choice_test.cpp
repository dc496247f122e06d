#include "actors/node_choice.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

const auto start = node_choice::time_point{} + 1h;

} // namespace

TEST_CASE("agents start at home, spread over the nodes") {
  const auto nodes = node_choice{2};
  CHECK(nodes.pick(0, start) == 0);
  CHECK(nodes.pick(1, start) == 1);
  CHECK(nodes.pick(2, start) == 0);
}

TEST_CASE("a node where a start has failed is left out, for longer each time, and others take its agents") {
  auto nodes = node_choice{3};
  nodes.failed(1, start);
  CHECK(nodes.pick(1, start) == 2);
  CHECK(nodes.pick(0, start) == 0);
  CHECK(nodes.pick(1, start + 1s) == 1);
  nodes.failed(1, start + 1s);
  CHECK(nodes.pick(1, start + 2s) == 2);
  CHECK(nodes.pick(1, start + 3s) == 1);
  for (int i = 0; i < 20; ++i)
    nodes.failed(1, start + 3s);
  CHECK(nodes.pick(1, start + 62s) == 2);
  CHECK(nodes.pick(1, start + 63s) == 1);
}

TEST_CASE("a start that succeeds makes a node as good as new") {
  auto nodes = node_choice{2};
  nodes.failed(0, start);
  nodes.failed(0, start);
  nodes.succeeded(0);
  CHECK(nodes.pick(0, start) == 0);
  nodes.failed(0, start);
  CHECK(nodes.pick(0, start + 1s) == 0);
}

TEST_CASE("where no node is good the one is tried that has been left out for longest") {
  auto nodes = node_choice{2};
  nodes.failed(1, start);
  nodes.failed(0, start + 100ms);
  CHECK(nodes.pick(0, start + 200ms) == 1);
}
