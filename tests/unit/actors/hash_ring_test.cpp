#include "actors/hash_ring.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <map>

using namespace troupe;

namespace {

hash_ring ring_of(uint32_t hosts) {
  auto result = hash_ring{};
  for (uint32_t h = 0; h < hosts; ++h)
    result.add(h);
  return result;
}

size_t moved(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b) {
  size_t result = 0;
  for (size_t k = 0; k < a.size(); ++k)
    result += a[k] != b[k];
  return result;
}

} // namespace

TEST_CASE("every host has a tenth more than the mean at most") {
  for (uint32_t hosts : {1, 2, 3, 7, 16})
    for (uint32_t keys : {1, 5, 16, 100, 1000}) {
      auto ring = ring_of(hosts);
      auto load = std::map<uint32_t, uint32_t>{};
      for (auto h : ring.place(keys))
        ++load[h];
      auto mean = static_cast<double>(keys) / hosts;
      for (auto& [h, n] : load) {
        CHECK(h < hosts);
        CHECK(n <= std::max(mean * 1.1, mean + 1));
      }
    }
}

TEST_CASE("as many keys as hosts: one each") {
  auto where = ring_of(8).place(8);
  std::sort(where.begin(), where.end());
  CHECK(where == std::vector<uint32_t>{0, 1, 2, 3, 4, 5, 6, 7});
}

TEST_CASE("a host that joins takes keys, and no key moves between the others") {
  auto ring = ring_of(9);
  for (uint32_t key = 0; key < 1000; ++key) {
    auto before = ring.owner(key);
    ring.add(9);
    auto after = ring.owner(key);
    CHECK((after == before || after == 9));
    ring.remove(9);
    CHECK(ring.owner(key) == before);
  }
}

TEST_CASE("a key whose host goes belongs to the next on the circle") {
  auto ring = ring_of(5);
  for (uint32_t key = 0; key < 200; ++key) {
    auto order = ring.walk(key);
    REQUIRE(order.size() == 5);
    auto without = ring;
    without.remove(order[0]);
    CHECK(without.owner(key) == order[1]);
  }
}

TEST_CASE("a host that joins gets its part, one that goes gives its own away, and nothing else moves") {
  for (uint32_t hosts : {3, 8, 15})
    for (uint32_t keys : {16, 48, 1000}) {
      auto ring = ring_of(hosts);
      auto first = ring.place(keys);
      ring.add(hosts);
      auto more = ring.place(keys, first);
      auto part = static_cast<size_t>(std::count(more.begin(), more.end(), hosts));
      CHECK(part >= keys / (hosts + 1));
      CHECK(moved(first, more) == part);
      ring.remove(1);
      auto fewer = ring.place(keys, more);
      auto given = static_cast<size_t>(std::count(more.begin(), more.end(), 1u));
      CHECK(moved(more, fewer) == given);
      auto load = std::map<uint32_t, uint32_t>{};
      for (auto h : fewer)
        ++load[h];
      CHECK_FALSE(load.contains(1));
      for (auto& [h, n] : load)
        CHECK(n <= std::max(1.1 * keys / hosts, 1.0 * keys / hosts + 1));
    }
}
