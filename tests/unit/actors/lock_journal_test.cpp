#include "actors/lock_journal.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <fmt/format.h>
#include <fstream>

#include "tests/support/simulated_disk.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/unit/learn/failing_file_system.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

lock_record grant(uint64_t token, std::string name = "a") {
  return {lock_record::event::granted, {token}, std::move(name), {{"customer", 1}, {2}}, 3, 4000ms};
}

lock_record end(uint64_t token, std::string name = "a") {
  auto r = grant(token, std::move(name));
  r.what = lock_record::event::released;
  return r;
}

fs::path only_file(const fs::path& folder) {
  auto all = std::vector<fs::path>{};
  for (auto& e : fs::directory_iterator{folder})
    all.push_back(e.path());
  REQUIRE(all.size() == 1);
  return all[0];
}

constexpr uint64_t first_token = 1ull << 32;

} // namespace

TEST_CASE("a record is what it was after it has been written down") {
  for (auto& r : {grant(1), end(2, "checkpoint:/a folder/with spaces\nand lines"), grant(3, " x")})
    CHECK(lock_record_from(to_text(r)).value() == r);
  CHECK(lock_record_from("something else").error().sentence == "it was written by another version");
  CHECK_FALSE(lock_record_from("granted 1 2"));
}

TEST_CASE("a journal that takes over another process's grants above whatever that may have granted (I6)") {
  const auto folder = temporary_folder{};
  auto of_leader = lock_journal{folder / "locks"};
  REQUIRE(of_leader.open());
  REQUIRE(of_leader.append(grant(first_token + 1)));
  const auto highest = of_leader.highest_possible();
  CHECK(highest > fencing_token{first_token + 1'000'000});
  auto of_standby = lock_journal{};
  of_standby.grant_above(highest);
  CHECK(of_standby.open().value().last == highest);
  CHECK_FALSE(of_standby.append(grant(highest.value)));
  CHECK(of_standby.append(grant(highest.value + 1)));
  CHECK(of_standby.highest_possible() > highest);
}

TEST_CASE("a journal in memory lasts as long as its object") {
  auto journal = lock_journal{};
  CHECK(journal.open().value() == lock_state{});
  REQUIRE(journal.append(grant(1)));
  REQUIRE(journal.append(grant(2, "b")));
  REQUIRE(journal.append(end(1)));
  auto now = journal.open().value();
  CHECK(now.last == fencing_token{2});
  CHECK(now.held.size() == 1);
  CHECK(now.held.at("b") == grant(2, "b"));
}

TEST_CASE("who opens a folder again finds what may still be held, and counts on from higher tokens") {
  auto folder = temporary_folder{};
  auto token = first_token;
  {
    auto journal = lock_journal{folder / "locks"};
    CHECK(journal.open().value() == lock_state{{token}, {}});
    REQUIRE(journal.append(grant(token + 1)));
    REQUIRE(journal.append(grant(token + 2, "b")));
    REQUIRE(journal.append(end(token + 1)));
  }
  auto next = lock_journal{folder / "locks"};
  auto now = next.open().value();
  CHECK(now.last == fencing_token{2 * first_token});
  CHECK(now.held == std::map<std::string, lock_record>{{"b", grant(token + 2, "b")}});
  CHECK(only_file(folder / "locks").filename() == "journal-000000002");
}

TEST_CASE("of two processes with one folder the earlier one grants nothing any more") {
  auto folder = temporary_folder{};
  auto first = lock_journal{folder / "locks"};
  auto second = lock_journal{folder / "locks"};
  REQUIRE(first.open());
  REQUIRE(first.append(grant(first_token + 1)));
  auto taken = second.open().value();
  CHECK(taken.last > fencing_token{first_token + 1});
  CHECK(taken.held.contains("a"));
  auto sentence = fmt::format("another run has taken over {}", folder.path().string());
  CHECK(first.append(grant(first_token + 2)).error().sentence == sentence);
  REQUIRE(second.append(grant(taken.last.value + 1)));
  CHECK(first.append(grant(first_token + 3)).error().sentence == sentence);
}

TEST_CASE("a torn end is ignored, wherever it is torn") {
  auto folder = temporary_folder{};
  {
    auto journal = lock_journal{folder / "locks"};
    REQUIRE(journal.open());
    REQUIRE(journal.append(grant(first_token + 1)));
    REQUIRE(journal.append(grant(first_token + 2, "b")));
  }
  auto disk = failing_file_system{0, failing_file_system::then::goes_on}; // leaves the syncs out
  auto whole = text_of(only_file(folder / "locks").string());
  auto both = size_t{0}, one = size_t{0}, none = size_t{0};
  for (auto length = whole.size(); length > 0; --length) {
    auto torn = temporary_folder{};
    fs::create_directories(torn / "locks");
    std::ofstream{torn / "locks/journal-000000001", std::ios::binary} << whole.substr(0, length);
    auto journal = lock_journal{torn / "locks", disk};
    auto found = journal.open().value();
    CHECK(found.last == fencing_token{2 * first_token}); // whatever is left of it
    ++(found.held.size() == 2 ? both : found.held.size() == 1 ? one : none);
  }
  CHECK(both == 1);
  CHECK(one > 0);
  CHECK(none > 0);
}

TEST_CASE("wherever writing fails, what was acknowledged is found again and the next grant goes through") {
  for (int fails = 1;; ++fails) {
    auto folder = temporary_folder{};
    auto disk = failing_file_system{fails, failing_file_system::then::goes_on};
    auto acknowledged = std::vector<lock_record>{};
    {
      auto journal = lock_journal{folder / "locks", disk};
      auto opened = journal.open();
      if (!opened) {
        CHECK_THAT(opened.error().sentence, ContainsSubstring("No space left"));
        opened = journal.open();
      }
      REQUIRE(opened);
      for (auto token = opened->last.value + 1; token < opened->last.value + 5; ++token)
        if (auto r = grant(token, std::to_string(token)); journal.append(r))
          acknowledged.push_back(r);
    }
    INFO("operation " << fails << ", " << disk.last_operation());
    CHECK(acknowledged.size() >= 3);
    auto found = lock_journal{folder / "locks"}.open().value();
    for (auto& r : acknowledged) {
      CHECK(found.held.contains(r.name));
      CHECK(r.token < found.last);
    }
    if (disk.last_operation().empty())
      break;
    REQUIRE(fails < 100);
  }
}

TEST_CASE("after a loss of power every grant that was acknowledged is found again") {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    auto folder = temporary_folder{};
    auto disk = testing::simulated_disk{folder.path(), testing::dice{seed}};
    auto chance = testing::dice{seed, 1};
    auto acknowledged = std::map<std::string, lock_record>{};
    auto highest = fencing_token{};
    for (int life = 0; life < 4; ++life) {
      auto journal = lock_journal{folder / "locks", disk};
      disk.stop_after(static_cast<int>(chance.below(30)));
      if (auto opened = journal.open()) {
        if (!disk.has_stopped())
          CHECK(opened->last > highest);
        for (auto token = opened->last.value + 1; token < opened->last.value + 6; ++token)
          if (auto r = grant(token, std::to_string(token)); journal.append(r) && !disk.has_stopped()) {
            acknowledged[r.name] = r;
            highest = r.token;
          }
      }
      disk.lose_power();
    }
    auto found = lock_journal{folder / "locks"}.open().value();
    CHECK(found.last > highest);
    for (auto& [name, r] : acknowledged)
      CHECK(found.held.contains(name));
  }
}

TEST_CASE("a journal that has grown is begun anew") {
  auto folder = temporary_folder{};
  auto disk = failing_file_system{0, failing_file_system::then::goes_on}; // leaves the syncs out
  auto journal = lock_journal{folder / "locks", disk};
  auto token = journal.open().value().last.value;
  for (int i = 0; i < 5000; ++i) {
    REQUIRE(journal.append(grant(++token)));
    REQUIRE(journal.append(end(token)));
  }
  CHECK(fs::file_size(only_file(folder / "locks")) < 4096ul * 100);
}
