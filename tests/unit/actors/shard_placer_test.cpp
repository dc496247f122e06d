#include "actors/shard_placer.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>

using namespace troupe;

namespace {

// All shards and replicas started, and the replicas ready.
void start_all(shard_placer& p, uint32_t shards) {
  for (uint32_t i = 0; i < shards; ++i) {
    p.start_holder(i);
    p.start_replica(i, {1});
    p.ready(i, {1});
  }
}

// What the roles do that are asked to move, until nobody is.
void settle(shard_placer& p) {
  auto number = uint64_t{2};
  for (;;) {
    auto holders = p.holders_to_move();
    auto replicas = p.replicas_to_move();
    if (holders.empty() && replicas.empty())
      return;
    REQUIRE(number < 100);
    for (auto i : holders)
      p.start_holder(i);
    for (auto i : p.replicas_to_move()) {
      p.start_replica(i, {++number});
      p.ready(i, {number});
    }
  }
}

} // namespace

TEST_CASE("a shard and its replica live on two hosts, and every host has its part") {
  auto p = shard_placer{8, {0, 1, 2, 3}};
  start_all(p, 8);
  CHECK(p.holders_to_move().empty());
  CHECK(p.replicas_to_move().empty());
  for (uint32_t h = 0; h < 4; ++h)
    CHECK(p.load(h) >= 2);
  for (uint32_t i = 0; i < 8; ++i) {
    auto at = p.holder_at(i);
    auto now = shard_placer{8, {0, 1, 2, 3}};
    CHECK(now.start_holder(i) == at); // by the hosts alone
    CHECK(now.start_replica(i, {1}) != at);
  }
}

TEST_CASE("a shard and its replica live on two nodes, if there are two, also where a node has several hosts") {
  const auto hosts = std::vector<shard_placer::host>{0, 1, 2, 3};
  const auto nodes = std::vector<uint32_t>{0, 0, 1, 1};
  const auto apart = [&](shard_placer& p) {
    CHECK(p.replicas_to_move().empty());
    for (uint32_t i = 0; i < 8; ++i) {
      CHECK(nodes[p.start_replica(i, {99})] != nodes[p.holder_at(i)]);
      p.ready(i, {99});
    }
  };
  auto p = shard_placer{8, hosts, nodes};
  start_all(p, 8);
  for (uint32_t i = 0; i < 8; ++i)
    CHECK(p.holder_at(i) == shard_placer(8, hosts).start_holder(i)); // holders are where they would be anyway
  apart(p);

  p.leaves(2);
  p.leaves(3);
  settle(p);
  for (uint32_t i = 0; i < 8; ++i) {
    CHECK(nodes[p.holder_at(i)] == 0);
    CHECK(p.start_replica(i, {99}) == 1 - p.holder_at(i)); // the other process of the only node
    p.ready(i, {99});
  }
  p.joined(2);
  p.joined(3);
  settle(p);
  apart(p);
}

TEST_CASE("a holder that was lost starts again where its replica is") {
  auto p = shard_placer{1, {0, 1, 2}};
  auto before = p.start_holder(0);
  auto replica = p.start_replica(0, {1});
  CHECK(p.start_holder(0) == before); // it has nothing yet
  p.ready(0, {1});
  CHECK(p.start_holder(0) == replica);
  CHECK(p.start_holder(0) == replica); // the start failed
  CHECK(p.replicas_to_move() == std::vector<uint32_t>{0});
  CHECK(p.start_replica(0, {2}) == before); // where it belongs: it goes back
  CHECK(p.holders_to_move().empty());
  p.ready(0, {1}); // late news of the one before
  CHECK(p.holders_to_move().empty());
  p.ready(0, {2});
  CHECK(p.holders_to_move() == std::vector<uint32_t>{0});
  CHECK(p.start_holder(0) == before);
}

TEST_CASE("shards leave a host that goes, one copy at a time, and one that joins gets its part") {
  auto p = shard_placer{12, {0, 1, 2}};
  start_all(p, 12);
  p.leaves(1);
  CHECK(p.load(1) > 0); // until they have moved
  settle(p);
  CHECK(p.load(1) == 0);
  CHECK(p.load(0) == 12);
  CHECK(p.load(2) == 12);
  p.joined(1);
  settle(p);
  CHECK(p.load(1) >= 4); // replicas stay where they are well
}

TEST_CASE("with one host left the replicas are with the leader, and with none the shards") {
  auto p = shard_placer{4, {0, 1}};
  start_all(p, 4);
  p.leaves(0);
  settle(p);
  CHECK(p.load(0) == 0);
  CHECK(p.load(1) == 4);
  CHECK(p.load(shard_placer::home) == 4);
  p.leaves(1);
  settle(p);
  CHECK(p.load(1) == 0);
  CHECK(p.load(shard_placer::home) == 4);
  CHECK(p.load(shard_placer::nowhere) == 4); // they wait
}

TEST_CASE("when the run goes back no replica has anything") {
  auto p = shard_placer{1, {0, 1}};
  auto at = p.start_holder(0);
  p.start_replica(0, {1});
  p.ready(0, {1});
  p.nothing_ready();
  CHECK(p.start_holder(0) == at);
}
