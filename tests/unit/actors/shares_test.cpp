#include "actors/shares.hpp"

#include <catch2/catch_test_macros.hpp>
#include <numeric>

using namespace troupe;
using each = std::vector<uint64_t>;

TEST_CASE("agents of one speed get equal parts, and so do those of whom nothing is known") {
  CHECK(shares(8, {0, 0}) == each{4, 4});
  CHECK(shares(7, {0, 0, 0}) == each{2, 2, 3});
  CHECK(shares(8, {1.0, 1.2}) == each{4, 4});
  CHECK(shares(16, {1.0, 1.3, 1.2, 1.6}) == each{4, 4, 4, 4}); // others would be done a little sooner
  CHECK(shares(1, {0, 0}) == each{0, 1});
  CHECK(shares(5, {}).empty());
}

TEST_CASE("a slow agent gets fewer micro-batches, so that all are done at about the same time") {
  CHECK(shares(9, {1.0, 2.0}) == each{6, 3});
  CHECK(shares(8, {1.0, 1.0, 4.0}) == each{4, 3, 1});
  CHECK(shares(4, {1.0, 1.0, 1.0, 100.0}) == each{1, 1, 1, 1}); // else it would never be seen to be fast again
  CHECK(shares(9, {1.0, 1.0, 4.0}) == each{4, 4, 1});
  CHECK(shares(6, {3.0, 0, 1.0}) == each{1, 2, 3}); // nothing is known of the second
}

TEST_CASE("every micro-batch goes to somebody, whatever the speeds") {
  for (uint64_t total : {1u, 2u, 5u, 64u})
    for (const auto& seconds : {std::vector{1.0}, {1e-9, 1.0}, {5.0, 1.0, 3.0, 1e6}}) {
      const auto got = shares(total, seconds);
      CHECK(std::accumulate(got.begin(), got.end(), uint64_t{0}) == total);
    }
}

TEST_CASE("what has not begun is shared so that both are done as early as possible") {
  CHECK(worth_giving(6, 1, 1) == 3);
  CHECK(worth_giving(9, 3, 1) == 7);
  CHECK(worth_giving(9, 1, 3) == 2);
  CHECK(worth_giving(4, 0, 0) == 2); // nothing is known of either
  CHECK(worth_giving(4, 2, 0) == worth_giving(4, 2, 2));
  CHECK(worth_giving(4, 0, 2) == worth_giving(4, 2, 2));
}

TEST_CASE("nothing is given where it is hardly worth while") {
  CHECK(worth_giving(0, 1, 1) == 0);
  CHECK(worth_giving(1, 9, 1) == 0); // its owner begins it at any moment
  CHECK(worth_giving(2, 1, 5) == 0);
  CHECK(worth_giving(10, 1, 20) == 0);
}
