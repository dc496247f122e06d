#include "learn/checkpoint/checkpoint.hpp"

#include <catch2/matchers/catch_matchers_string.hpp>

#include "learn/checkpoint/frame.hpp"
#include "learn/checkpoint/records.hpp"
#include "learn/digest.hpp"
#include "tests/unit/learn/checkpoint_snapshot.hpp"

using namespace troupe::learn;
using namespace troupe::test;
using Catch::Matchers::ContainsSubstring;

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

TEST_CASE("an archive whose checksum holds but whose content is foreign is refused with a sentence") {
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
