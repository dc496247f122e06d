#include "learn/checkpoint/checkpoint.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstring>
#include <set>

#include "learn/checkpoint/frame.hpp"
#include "learn/checkpoint/records.hpp"
#include "learn/digest.hpp"
#include "learn/draws.hpp"
#include "tests/support/simulated_disk.hpp"
#include "tests/unit/learn/failing_file_system.hpp"
#include "tests/unit/learn/scratch_folder.hpp"

using namespace troupe::learn;
using namespace troupe::test;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

/// Small blocks: five of them.
layout small_layout(const std::string& first_name = "a") {
  return layout{{{.name = first_name, .dims = {4, 3}},
                 {.name = "b", .dims = {20}},
                 {.name = "c", .dims = {3}},
                 {.name = "d", .dims = {9}},
                 {.name = "m", .dims = {6}, .kind = slice_kind::statistic}},
                64};
}

/// Never fails and never waits for the disk.
file_system& quick() {
  static failing_file_system instance{0, failing_file_system::then::goes_on};
  return instance;
}

/// What a run looks like at a step: every value is of that step.
struct snapshot {
  explicit snapshot(uint64_t at, size_t buffers = 2) : step(at), parameters(of.size()), state(buffers) {
    fill(parameters, 0);
    for (size_t i = 0; i < buffers; ++i) {
      state[i] = flat{of.size()};
      fill(state[i], i + 1);
    }
  }

  [[nodiscard]] checkpoint_meta meta() const {
    return {.job = {{"model", "small"}, {"batch", "8"}},
            .step = step,
            .epoch = step / 10,
            .cursor = step % 10 * 8,
            .weights_sha256 = {}};
  }

  [[nodiscard]] std::vector<checkpoint_shard> cut(size_t shards) const {
    std::vector<std::span<const float>> buffers;
    for (const auto& buffer : state)
      buffers.push_back(buffer.values());
    return cut_into_shards(of, parameters.values(), buffers, step, shards);
  }

  [[nodiscard]] auto write(const fs::path& folder, size_t shards = 2, file_system& files = quick()) const {
    return write_checkpoint(folder, meta(), of, cut(shards), {}, files);
  }

  /// Whether exactly this has been read.
  [[nodiscard]] bool is(const checkpoint_read& read) const {
    const auto same = [](const flat& a, const flat& b) {
      return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
    };
    bool all = read.meta.step == step && read.meta.epoch == step / 10 && read.meta.cursor == step % 10 * 8 &&
               read.meta.job == meta().job && read.state.size() == state.size() && same(read.parameters, parameters);
    for (size_t i = 0; all && i < state.size(); ++i)
      all = same(read.state[i], state[i]);
    return all;
  }

  layout of = small_layout();
  uint64_t step;
  flat parameters;
  std::vector<flat> state;

private:
  void fill(flat& buffer, size_t which) const {
    for (const slice& s : of.slices())
      for (size_t i = 0; i < s.size; ++i)
        buffer.data()[s.offset + i] = static_cast<float>(step * 1'000 + which * 100 + s.offset + i) + .25f;
  }
};

checkpoint_read read(const fs::path& folder, const layout& of = small_layout()) {
  auto result = read_latest_checkpoint(folder, of);
  INFO((result ? "" : result.error().sentence));
  REQUIRE(result);
  return std::move(*result);
}

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator{folder})
    names.insert(entry.path().filename().string());
  return names;
}

} // namespace

TEST_CASE("CRC-32C gives the known answers of RFC 3720, whole and in pieces") {
  const std::string digits = "123456789";
  CHECK(crc32c(std::as_bytes(std::span{digits})) == 0xe3069283);
  const std::string zeros(32, '\0');
  CHECK(crc32c(std::as_bytes(std::span{zeros})) == 0x8a9136aa);
  const auto bytes = std::as_bytes(std::span{digits});
  CHECK(crc32c(bytes.subspan(4), crc32c(bytes.first(4))) == 0xe3069283);
}

TEST_CASE("a checkpoint is read back bit by bit, whatever the number of shards and state buffers") {
  for (const size_t shards : {1u, 2u, 3u, 5u, 9u})
    for (const size_t buffers : {0u, 1u, 2u}) {
      const scratch_folder folder;
      const snapshot now{123, buffers};
      const auto written = now.write(folder / "run/checkpoints", shards, file_system::real());
      REQUIRE(written);
      CHECK(written->note.empty());
      CHECK(written->folder.filename() == "step-000000123");
      CHECK(names_in(folder / "run/checkpoints") == std::set<std::string>{"latest", "step-000000123"});
      CHECK(names_in(written->folder).size() == now.cut(shards).size() + 1);
      const auto got = read(folder / "run/checkpoints");
      CHECK(now.is(got));
      CHECK(got.note.empty());
      CHECK(got.meta.weights_sha256 == weights_sha256(now.of, now.parameters.values()));
    }
}

TEST_CASE("shards are runs of blocks of about equal size that hold every block once") {
  const layout of{std::vector<slice>{{.name = "a", .dims = {160}},
                                     {.name = "b", .dims = {16}},
                                     {.name = "c", .dims = {16}},
                                     {.name = "d", .dims = {16}}},
                  64};
  const flat values{of.size()};
  for (size_t shards = 1; shards < 8; ++shards) {
    const auto cut = cut_into_shards(of, values.values(), {}, 1, shards);
    CHECK(cut.size() <= shards);
    size_t next = 0;
    for (const auto& shard : cut) {
      CHECK_FALSE(shard.empty());
      for (const auto& b : shard)
        CHECK(b.index == next++);
    }
    CHECK(next == of.blocks().size());
  }
}

TEST_CASE("the newest checkpoint is read, and only as many stay as asked for, at least two") {
  const scratch_folder folder;
  for (uint64_t step = 1; step <= 5; ++step)
    REQUIRE(snapshot{step}.write(folder.path()));
  CHECK(snapshot{5}.is(read(folder.path())));
  CHECK(names_in(folder.path()) == std::set<std::string>{"latest", "step-000000004", "step-000000005"});
  const snapshot six{6};
  REQUIRE(write_checkpoint(folder.path(), six.meta(), six.of, six.cut(1), {.keep = 3}));
  CHECK(names_in(folder.path()).size() == 4);
  const snapshot seven{7};
  REQUIRE(write_checkpoint(folder.path(), seven.meta(), seven.of, seven.cut(1), {.keep = 0}));
  CHECK(names_in(folder.path()).size() == 3);
}

TEST_CASE("a later checkpoint of a smaller or the same step is the newest all the same") {
  const scratch_folder folder;
  REQUIRE(snapshot{50}.write(folder.path()));
  REQUIRE(snapshot{3}.write(folder.path()));
  CHECK(snapshot{3}.is(read(folder.path())));
  const snapshot other{3, 1};
  REQUIRE(other.write(folder.path()));
  CHECK(other.is(read(folder.path())));
  CHECK(names_in(folder.path()) == std::set<std::string>{"latest", "step-000000003", "step-000000003-2"});
  REQUIRE(snapshot{4}.write(folder.path()));
  CHECK(snapshot{4}.is(read(folder.path())));
}

TEST_CASE("a writer with a lower token than the newest checkpoint's is refused and changes nothing (I6)") {
  const scratch_folder folder;
  const auto write = [&](const snapshot& s, uint64_t token) {
    return write_checkpoint(folder.path(), s.meta(), s.of, s.cut(2), {.token = token});
  };
  REQUIRE(write(snapshot{10}, 7));
  REQUIRE(write(snapshot{11}, 7));
  REQUIRE(write(snapshot{5}, 8)); // another run has taken over
  const auto before = names_in(folder.path());
  const auto refused = write(snapshot{12}, 7);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().sentence ==
        "the checkpoint of step 12 is not written, the one before is untouched: another run has taken over " +
          folder.path().string() + ": the token of its step-000000005 is 8, and this run's is 7");
  CHECK_FALSE(snapshot{12}.write(folder.path())); // no token at all
  CHECK(names_in(folder.path()) == before);
  CHECK(snapshot{5}.is(read(folder.path())));
}

TEST_CASE("a reader believes the highest token, not the file that names the latest (I6)") {
  const scratch_folder folder;
  const snapshot old{10};
  const snapshot now{5};
  REQUIRE(write_checkpoint(folder.path(), old.meta(), old.of, old.cut(2), {.token = 7}));
  REQUIRE(write_checkpoint(folder.path(), now.meta(), now.of, now.cut(2), {.token = 8}));
  const std::string name = "step-000000010\n";
  write_file(folder / "latest", bytes{name.begin(), name.end()});
  CHECK(now.is(read(folder.path())));
}

TEST_CASE("without the file that names the latest checkpoint the newest one is found") {
  const scratch_folder folder;
  REQUIRE(snapshot{9}.write(folder.path()));
  REQUIRE(snapshot{2}.write(folder.path()));
  for (const auto& content : {bytes{}, bytes{'x', '\n'}, bytes(300, 'y')}) {
    write_file(folder / "latest", content);
    CHECK(snapshot{2}.is(read(folder.path())));
  }
  fs::remove(folder / "latest");
  CHECK(snapshot{2}.is(read(folder.path())));
}

TEST_CASE("a folder without a checkpoint is refused with a sentence") {
  const scratch_folder folder;
  CHECK_FALSE(has_checkpoint(folder.path()));
  CHECK_FALSE(has_checkpoint(folder / "nowhere"));
  const auto nothing = read_latest_checkpoint(folder / "nowhere", small_layout());
  REQUIRE_FALSE(nothing);
  CHECK(nothing.error().sentence == "there is no checkpoint in " + (folder / "nowhere").string());
}

TEST_CASE("a checkpoint of another model is refused instead of falling back") {
  const scratch_folder folder;
  REQUIRE(snapshot{1}.write(folder.path()));
  CHECK(has_checkpoint(folder.path()));
  const auto other = read_latest_checkpoint(folder.path(), small_layout("z"));
  REQUIRE_FALSE(other);
  CHECK_THAT(other.error().sentence, ContainsSubstring("is a checkpoint of another model"));
}

TEST_CASE("a checkpoint of another job is told by the first option that differs") {
  const checkpoint_meta saved = snapshot{1}.meta();
  CHECK(check_same_job(saved, snapshot{7}.meta()));
  auto other = saved;
  other.job["batch"] = "16";
  const auto refused = check_same_job(saved, other);
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().sentence, ContainsSubstring("its batch is '8', and here it is '16'"));
  other = saved;
  other.job["seed"] = "3";
  CHECK_THAT(check_same_job(saved, other).error().sentence,
             ContainsSubstring("its seed is not set, and here it is '3'"));
  CHECK_THAT(check_same_job(other, saved).error().sentence,
             ContainsSubstring("its seed is '3', and here it is not set"));
}

TEST_CASE("parameters that changed after they were copied are not written (I7)") {
  const scratch_folder folder;
  const snapshot now{1};
  auto meta = now.meta();
  meta.weights_sha256 = std::string(64, '0');
  const auto written = write_checkpoint(folder.path(), meta, now.of, now.cut(1));
  REQUIRE_FALSE(written);
  CHECK_THAT(written.error().sentence, ContainsSubstring("the parameters are not the ones that were copied"));
  CHECK(names_in(folder.path()).empty());
}

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

TEST_CASE("an archive whose checksum holds but whose content is foreign is refused with a sentence") {
  draws random{6, purpose::sample_order, 0, 0};
  const std::string good = to_text(manifest{.sequence = 3,
                                            .meta = snapshot{1}.meta(),
                                            .layout_sha256 = "x",
                                            .floats = 4,
                                            .state_buffers = 1,
                                            .files = {{"shard-0-of-1", 12, 5}}});
  REQUIRE(manifest_from(good));
  CHECK(manifest_from(good)->files.front().name == "shard-0-of-1");
  CHECK_FALSE(manifest_from(""));
  CHECK_FALSE(manifest_from("22 something::else 19 0 0"));
  for (size_t size = 0; size < good.size() / 2; ++size)
    CHECK_FALSE(manifest_from(good.substr(0, size)));
}
