#include "actors/work_queue.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace troupe;

namespace {

lease part(uint64_t at, uint64_t first, uint64_t last) {
  return {{at}, first, last, 12, 48, {1}};
}

std::vector<uint64_t> fed(work_queue& queue) {
  auto result = std::vector<uint64_t>{};
  while (auto piece = queue.next())
    result.push_back(piece->micro_batch);
  return result;
}

using each = std::vector<uint64_t>;

} // namespace

TEST_CASE("without a depth the stream gets all of a lease at once") {
  auto queue = work_queue{};
  auto number = queue.add(part(0, 2, 5));
  CHECK(fed(queue) == each{2, 3, 4});
  auto complete = queue.next_complete();
  REQUIRE(complete);
  CHECK(complete->work == number);
  CHECK(complete->end == 5);
  CHECK_FALSE(queue.next_complete());
  CHECK(queue.is_empty());
}

TEST_CASE("with a depth the stream gets the next micro-batch when it has finished one") {
  auto queue = work_queue{2};
  queue.add(part(0, 0, 3));
  queue.add(part(0, 7, 8));
  CHECK(fed(queue) == each{0, 1});
  CHECK_FALSE(queue.next_complete());
  queue.on_done();
  CHECK(fed(queue) == each{2});
  CHECK(queue.next_complete()->end == 3);
  queue.on_done();
  CHECK(fed(queue) == each{7});
  CHECK(queue.next_complete()->end == 8);
}

TEST_CASE("the end of the lease of which most waits is given up, and what the stream has is kept") {
  auto queue = work_queue{2};
  queue.add(part(0, 0, 8));
  fed(queue);
  auto split = queue.give_up({0}, 1, 1);
  CHECK(split.first == 0);
  CHECK(split.kept == 5); // two are on the stream, three of six are kept
  CHECK(split.last == 8);
  queue.on_done();
  queue.on_done();
  CHECK(fed(queue) == each{2, 3});
  auto again = queue.give_up({0}, 1, 1); // one waits: it begins at any moment
  CHECK(again.kept == again.last);
  queue.on_done();
  CHECK(fed(queue) == each{4});
  CHECK(queue.next_complete()->end == 5);
}

TEST_CASE("of another step, or when nothing waits, nothing is given up") {
  auto queue = work_queue{2};
  queue.add(part(1, 0, 8));
  auto other = queue.give_up({0}, 9, 1);
  CHECK(other.kept == other.last);
  auto none = work_queue{2}.give_up({0}, 9, 1);
  CHECK(none.kept == none.last);
}

TEST_CASE("what is abandoned is complete with what the stream has got of it") {
  auto queue = work_queue{2};
  queue.add(part(0, 0, 8));
  queue.add(part(1, 4, 8));
  fed(queue);
  queue.abandon([](step at) { return at == step{0}; });
  CHECK(queue.next_complete()->end == 2);
  CHECK_FALSE(queue.next_complete());
  queue.on_done();
  CHECK(fed(queue) == each{4});
}
