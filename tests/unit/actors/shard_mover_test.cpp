#include "actors/shard_mover.hpp"

#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "actors/shard_vault.hpp"
#include "messages/registry.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

/// Twelve shards of a job on three hosts, whose leader's lock service is the test.
struct leader {
  leader() {
    register_messages();
    for (uint32_t i = 0; i < shards; ++i) {
      placer->start_holder(i);
      placer->start_replica(i, {1});
      placer->ready(i, {1});
    }
  }

  void grant(const acquire_lock& a, uint64_t token) {
    client.on(lock_granted{a.name, a.request, {token}, a.lease_ms, a.asked_at});
  }

  template <class T>
  std::vector<T> said_of() const {
    auto result = std::vector<T>{};
    for (auto& m : said)
      if (m.match_elements<T>())
        result.push_back(m.get_as<T>(0));
    return result;
  }

  /// Lets a host go; the shards that have to move for that.
  std::vector<role_id> let_go() {
    placer->leaves(1);
    auto result = std::vector<role_id>{};
    for (auto shard : placer->holders_to_move())
      result.push_back({"shard_holder", shard});
    for (auto shard : placer->replicas_to_move())
      result.push_back({"shard_replica", shard});
    return result;
  }

  static constexpr uint32_t shards = 12;
  time_point now{1h};
  bool service = true;
  std::deque<caf::message> said; ///< to the lock service
  std::vector<std::pair<role_id, fencing_token>> told;
  std::vector<std::string> notes;
  std::shared_ptr<shard_placer> placer = std::make_shared<shard_placer>(shards, std::vector<uint32_t>{0, 1, 2});
  lock_client client{{{"coordinator", 0}, {1}},
                     {[this] { return now; }, [](auto, auto) {},
                      [this](caf::message m) {
                        if (service)
                          said.push_back(std::move(m));
                        return service;
                      }}};
  shard_mover mover{placer,
                    client,
                    {[this](const role_id& r, fencing_token t) { told.emplace_back(r, t); },
                     [this](const std::string& s) { notes.push_back(s); }}};
};

} // namespace

TEST_CASE("a shard is told to move once its lock is held, with the token, and again until it has (I6)") {
  auto l = leader{};
  l.mover.look();
  CHECK(l.said.empty()); // all are where they belong
  auto moving = l.let_go();
  REQUIRE_FALSE(moving.empty());
  l.mover.look();
  l.mover.look();
  auto asked = l.said_of<acquire_lock>();
  CHECK(l.told.empty());
  REQUIRE_FALSE(asked.empty());
  auto shard = std::stoul(asked.front().name.substr(std::string{"shard:"}.size()));
  CHECK(asked.front().name == shard_mover::lock_of(static_cast<uint32_t>(shard)));
  l.grant(asked.front(), 7);
  REQUIRE(l.told.size() == 1);
  CHECK(l.told.front().first.index == shard);
  CHECK(l.told.front().second == fencing_token{7});
  l.mover.look();
  CHECK(l.told.size() == 2);
  CHECK(l.said_of<acquire_lock>().size() == asked.size()); // one wish for each
  CHECK(l.said_of<release_lock>().empty());
}

TEST_CASE("the lock of a shard that is where it belongs is released, also one that is still waited for") {
  auto l = leader{};
  l.let_go();
  l.mover.look();
  auto asked = l.said_of<acquire_lock>();
  REQUIRE(asked.size() >= 2);
  l.grant(asked[0], 7);
  l.placer->joined(1); // nothing has moved yet, and nothing has to any more
  REQUIRE(l.placer->holders_to_move().empty());
  l.mover.look();
  CHECK(l.said_of<release_lock>().size() == asked.size());
  l.grant(asked[1], 8); // too late
  CHECK(l.told.size() == 1);
}

TEST_CASE("without its lock a shard stays where it is, and it is said why, once") {
  auto l = leader{};
  l.let_go();
  l.service = false;
  l.mover.look();
  l.mover.look();
  CHECK(l.told.empty());
  REQUIRE(l.notes.size() == 1);
  CHECK(l.notes.front().find("stays where it is for now: shard:") != std::string::npos);
  l.service = true;
  l.mover.look();
  auto asked = l.said_of<acquire_lock>();
  REQUIRE_FALSE(asked.empty());
  l.client.on(lock_refused{asked.front().name, asked.front().request, "the journal cannot be written"});
  CHECK(l.notes.size() == 1);
  l.mover.look(); // asks again
  CHECK(l.said_of<acquire_lock>().size() == asked.size() + 1);
  CHECK(l.told.empty());
}

TEST_CASE("who lost the lock on a shard does not move it (I6)") {
  auto vault = shard_vault{};
  CHECK(vault.admits(3, {7}));
  CHECK(vault.admits(3, {7})); // said again
  CHECK(vault.admits(3, {9}));
  CHECK_FALSE(vault.admits(3, {8}));
  CHECK(vault.admits(2, {8}));
}
