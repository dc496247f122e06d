// Checkpoints while the disk fails, the process ends or the power goes, and files that were damaged later.

#include <catch2/matchers/catch_matchers_string.hpp>

#include "learn/draws.hpp"
#include "tests/support/simulated_disk.hpp"
#include "tests/unit/learn/checkpoint_snapshot.hpp"

using namespace troupe::learn;
using namespace troupe::test;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("whichever operation fails, the attempt leaves nothing and the checkpoints before load") {
  for (int fails = 1;; ++fails) {
    const scratch_folder folder;
    const snapshot first{1};
    const snapshot second{2};
    const snapshot third{3};
    REQUIRE(first.write(folder.path()));
    REQUIRE(second.write(folder.path()));
    failing_file_system disk{fails, failing_file_system::then::goes_on};
    const auto written = third.write(folder.path(), 2, disk);
    const auto got = read(folder.path());
    INFO(fails << " " << disk.last_operation());
    if (disk.last_operation().empty()) { // it took fewer operations than that
      REQUIRE(written);
      CHECK(fails > 25);
      break;
    }
    if (written) { // only removing what is old failed
      CHECK(third.is(got));
      CHECK_THAT(written->note, ContainsSubstring("an old checkpoint stays: No space left on device"));
      continue;
    }
    CHECK_THAT(
      written.error().sentence,
      ContainsSubstring("the checkpoint of step 3 is not written, the one before is untouched: No space left"));
    CHECK(second.is(got));
    CHECK(names_in(folder.path()) == std::set<std::string>{"latest", "step-000000001", "step-000000002"});
    // And the next attempt goes well.
    REQUIRE(third.write(folder.path()));
    CHECK(third.is(read(folder.path())));
  }
}

TEST_CASE("wherever the process ends, the checkpoint before or the new one loads, and the next attempt goes well") {
  int before = 0;
  int after = 0;
  for (int ends = 1;; ++ends) {
    const scratch_folder folder;
    const snapshot first{1};
    const snapshot second{2};
    const snapshot third{3};
    REQUIRE(first.write(folder.path()));
    REQUIRE(second.write(folder.path()));
    failing_file_system disk{ends, failing_file_system::then::has_ended};
    const auto written = third.write(folder.path(), 2, disk);
    if (disk.last_operation().empty())
      break;
    const auto got = read(folder.path());
    const bool is_new = third.is(got);
    CHECK((is_new || second.is(got)));
    if (written)
      CHECK(is_new);
    (is_new ? after : before) += 1;
    const snapshot fourth{4};
    REQUIRE(fourth.write(folder.path()));
    CHECK(fourth.is(read(folder.path())));
    for (const auto& name : names_in(folder.path()))
      CHECK_FALSE((name.starts_with("step-") && name.ends_with(".tmp")));
  }
  CHECK(before > 20);
  CHECK(after > 2);
}

TEST_CASE("whenever the power fails, the newest acknowledged checkpoint loads (I7)") {
  const snapshot second{2};
  const snapshot third{3};
  int before = 0;
  int after = 0;
  for (int operations = 0;; ++operations) {
    bool cut = false;
    for (uint64_t seed = 1; seed <= 8; ++seed) {
      const scratch_folder folder;
      REQUIRE(snapshot{1}.write(folder.path()));
      REQUIRE(second.write(folder.path()));
      troupe::testing::simulated_disk disk{folder.path(), troupe::testing::dice{seed}};
      disk.stop_after(operations);
      REQUIRE(third.write(folder.path(), 2, disk));
      cut = disk.has_stopped();
      disk.lose_power();
      INFO("power fails after operation " << operations << ", seed " << seed);
      const auto got = read(folder.path());
      const bool is_new = third.is(got);
      CHECK((is_new || second.is(got)));
      if (!cut)
        CHECK(is_new); // it was acknowledged
      (is_new ? after : before) += 1;
      const snapshot fourth{4};
      REQUIRE(fourth.write(folder.path()));
      CHECK(fourth.is(read(folder.path())));
    }
    if (!cut)
      break;
  }
  CHECK(before > 100);
  CHECK(after > 20);
}

TEST_CASE("a damaged checkpoint makes the one before load, with a sentence that says so") {
  for (const char* file : {"manifest", "shard-0-of-2", "shard-1-of-2"}) {
    const scratch_folder folder;
    REQUIRE(snapshot{1}.write(folder.path()));
    const auto newest = snapshot{2}.write(folder.path());
    REQUIRE(newest);
    const bytes whole = read_file(newest->folder / file);
    for (size_t size = 0; size < whole.size(); ++size) {
      write_file(newest->folder / file, std::span{whole}.first(size));
      const auto got = read(folder.path());
      CHECK(snapshot{1}.is(got));
      CHECK_THAT(got.note, ContainsSubstring("the newest checkpoint cannot be used, so step-000000001 is: ") &&
                             ContainsSubstring(file));
    }
    fs::remove(newest->folder / file);
    CHECK(snapshot{1}.is(read(folder.path())));
  }
}

TEST_CASE("no flipped bit of a checkpoint ever loads as something else") {
  const scratch_folder folder;
  const snapshot first{1};
  const snapshot second{2};
  REQUIRE(first.write(folder.path()));
  const auto newest = second.write(folder.path());
  REQUIRE(newest);
  int flips = 0;
  for (const char* file : {"manifest", "shard-0-of-2", "shard-1-of-2"}) {
    const bytes whole = read_file(newest->folder / file);
    for (size_t bit = 0; bit < whole.size() * 8; ++bit, ++flips) {
      bytes damaged = whole;
      damaged[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      write_file(newest->folder / file, damaged);
      const auto got = read_latest_checkpoint(folder.path(), first.of);
      REQUIRE(got);
      REQUIRE(first.is(*got));
      REQUIRE_FALSE(got->note.empty());
    }
    write_file(newest->folder / file, whole);
    REQUIRE(second.is(read(folder.path())));
  }
  CHECK(flips > 10'000);
}

TEST_CASE("random damage to any file is refused or makes no difference") {
  draws random{4, purpose::sample_order, 0, 0};
  const scratch_folder folder;
  const snapshot first{1};
  const snapshot second{2};
  REQUIRE(first.write(folder.path()));
  const auto newest = second.write(folder.path());
  REQUIRE(newest);
  const std::vector<fs::path> files{newest->folder / "manifest", newest->folder / "shard-0-of-2",
                                    newest->folder / "shard-1-of-2"};
  std::vector<bytes> whole;
  whole.reserve(files.size());
  for (const auto& file : files)
    whole.push_back(read_file(file));
  for (int round = 0; round < 2'000; ++round) {
    const auto which = random.below(3);
    bytes damaged = whole[which];
    for (uint32_t change = random.below(5) + 1; change > 0; --change) {
      const auto at = random.below(static_cast<uint32_t>(damaged.size()));
      switch (random.below(3)) {
      case 0:
        damaged[at] = static_cast<uint8_t>(random.below(256));
        break;
      case 1:
        damaged.resize(at + 1);
        break;
      default:
        damaged.insert(damaged.begin() + at, random.below(30) + 1, static_cast<uint8_t>(random.below(256)));
      }
    }
    write_file(files[which], damaged);
    const auto got = read_latest_checkpoint(folder.path(), first.of);
    REQUIRE(got);
    REQUIRE((damaged == whole[which] ? second.is(*got) : first.is(*got)));
    write_file(files[which], whole[which]);
  }
}

TEST_CASE("files of different checkpoints do not mix") {
  const scratch_folder folder;
  const auto first = snapshot{1}.write(folder.path());
  const auto second = snapshot{2}.write(folder.path());
  REQUIRE(first);
  REQUIRE(second);
  fs::copy_file(first->folder / "shard-1-of-2", second->folder / "shard-1-of-2", fs::copy_options::overwrite_existing);
  const auto got = read(folder.path());
  CHECK(snapshot{1}.is(got));
  CHECK_THAT(got.note, ContainsSubstring("it is not the file that the manifest describes"));
}

TEST_CASE("where every checkpoint is damaged, all are named") {
  const scratch_folder folder;
  for (const uint64_t step : {1u, 2u}) {
    const auto written = snapshot{step}.write(folder.path());
    REQUIRE(written);
    fs::resize_file(written->folder / "shard-0-of-2", 10);
  }
  const auto nothing = read_latest_checkpoint(folder.path(), small_layout());
  REQUIRE_FALSE(nothing);
  CHECK_THAT(nothing.error().sentence, ContainsSubstring("no checkpoint in") &&
                                         ContainsSubstring("step-000000001/shard-0") &&
                                         ContainsSubstring("step-000000002/shard-0"));
}
