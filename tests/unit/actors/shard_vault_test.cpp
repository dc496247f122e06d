#include "actors/shard_vault.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace troupe;

namespace {

shard_vault::commit at(uint64_t version) {
  return {{{version}, {}}, payload::floats(16), {}, {}};
}

} // namespace

TEST_CASE("a holder comes back with the last update, once it is done, whoever began it") {
  auto vault = std::make_shared<shard_vault>();
  auto mine = vault->claim(0);
  vault->keep(0, mine, at(3));
  auto update = vault->begin(0, mine);
  CHECK_FALSE(vault->find(0)); // its state is being written
  auto settled = 0;
  vault->when_settled(0, [&] { ++settled; });
  CHECK(settled == 0);
  update->keep(at(4));
  update.reset();
  CHECK(settled == 1);
  REQUIRE(vault->find(0));
  CHECK(vault->find(0)->applied.version() == step{4});
  vault->when_settled(0, [&] { ++settled; });
  CHECK(settled == 2);
}

TEST_CASE("an update that is dropped half way leaves nothing to come back with") {
  auto vault = std::make_shared<shard_vault>();
  auto mine = vault->claim(0);
  vault->keep(0, mine, at(3));
  vault->begin(0, mine).reset();
  CHECK_FALSE(vault->find(0));
  auto settled = false;
  vault->when_settled(0, [&] { settled = true; });
  CHECK(settled);
}

TEST_CASE("an update of one shard does not hold up another") {
  auto vault = std::make_shared<shard_vault>();
  vault->keep(1, vault->claim(1), at(3));
  auto mine = vault->claim(0);
  auto update = vault->begin(0, mine);
  auto settled = false;
  vault->when_settled(1, [&] { settled = true; });
  CHECK(settled);
  CHECK(vault->find(1));
}

TEST_CASE("whoever claims a shard last is the only one that writes to it") {
  auto vault = std::make_shared<shard_vault>();
  auto replica = vault->claim(0);
  CHECK(vault->keep(0, replica, at(3)));
  auto update = vault->begin(0, replica);
  auto holder = vault->claim(0);
  CHECK_FALSE(vault->begin(0, replica));
  CHECK_FALSE(vault->keep(0, replica, at(9)));
  CHECK_FALSE(vault->forget(0, replica));
  update->keep(at(4)); // what was begun before is done
  update.reset();
  REQUIRE(vault->find(0));
  CHECK(vault->find(0)->applied.version() == step{4});
  CHECK(vault->forget(0, holder));
  CHECK_FALSE(vault->find(0));
}

TEST_CASE("sums are kept until a commit has their step, for whoever claims the shard next") {
  auto vault = std::make_shared<shard_vault>();
  auto replica = vault->claim(0);
  vault->keep(0, replica, at(3));
  CHECK(vault->keep_sums(0, replica, {3}, {{}, {{1}}, {payload::floats(16)}}));
  CHECK(vault->keep_sums(0, replica, {4}, {{}, {{1}}, {payload::floats(16)}}));
  vault->claim(0);
  CHECK_FALSE(vault->keep_sums(0, replica, {5}, {}));
  CHECK(vault->find_sums(0).size() == 2);
  CHECK(vault->find_sums(1).empty());
  auto holder = vault->claim(0);
  vault->keep(0, holder, at(4));
  REQUIRE(vault->find_sums(0).size() == 1);
  CHECK(vault->find_sums(0).contains({4}));
  auto back = at(0);
  back.since = {7};
  vault->keep(0, holder, back); // the run went back: they are void
  CHECK(vault->find_sums(0).empty());
}
