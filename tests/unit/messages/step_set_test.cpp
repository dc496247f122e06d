#include "messages/step_set.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace troupe;

TEST_CASE("steps that take effect in their order are counted by the floor alone") {
  auto set = step_set{};
  for (uint64_t s = 0; s < 4; ++s)
    set.insert({s});
  CHECK(set == step_set{{4}, {}});
  CHECK(set.version() == step{4});
  CHECK(set.contains({3}));
  CHECK_FALSE(set.contains({4}));
}

TEST_CASE("a step that was waited for joins those above the floor to it") {
  auto set = step_set{{2}, {}};
  set.insert({5});
  set.insert({3});
  set.insert({3});
  CHECK(set == step_set{{2}, {{3}, {5}}});
  CHECK(set.version() == step{4});
  set.insert({2});
  CHECK(set == step_set{{4}, {{5}}});
  set.insert({4});
  CHECK(set == step_set{{6}, {}});
}

TEST_CASE("what two sides know is merged, either way round") {
  const auto a = step_set{{3}, {{5}, {9}}};
  const auto b = step_set{{6}, {{8}}};
  auto left = a;
  left.merge(b);
  auto right = b;
  right.merge(a);
  CHECK(left == step_set{{6}, {{8}, {9}}});
  CHECK(left == right);
  auto all = step_set{{2}, {{6}}};
  all.merge({{6}, {}});
  CHECK(all == step_set{{7}, {}});
}
