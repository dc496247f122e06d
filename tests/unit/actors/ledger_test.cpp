#include "actors/ledger.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <span>

#include "actors/audit.hpp"
#include "learn/checkpoint/frame.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/unit/learn/failing_file_system.hpp"

using namespace troupe;
using namespace troupe::test;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr auto sizes = learn::batch_sizes{.samples = 50, .batch = 20, .micro_batch = 4}; // 5, 5 and 3 micro-batches

ledger_head head(uint64_t first = 0) {
  return {learn::order_kind::shuffled, 7, sizes, {}, {first}};
}

/// The step as it should be.
ledger_step good(uint64_t at) {
  auto s = ledger_step{{at}, {0}, false, {}};
  for (uint32_t m = 0; m < learn::micro_batches_of_step(sizes, at); ++m) {
    auto where = learn::positions(sizes, at, m);
    auto order = learn::sample_order{learn::order_kind::shuffled, 7, 50}.of_epoch(where.epoch);
    auto ids = std::span{order}.subspan(where.first, where.last - where.first);
    s.entries.push_back({m, m % 2, {1}, {1}, learn::crc32c(std::as_bytes(ids))});
  }
  return s;
}

audit_report audited(const std::function<void(ledger&)>& keep) {
  auto folder = temporary_folder{};
  auto disk = failing_file_system{0, failing_file_system::then::goes_on}; // leaves the syncs out
  auto l = ledger{folder / "ledger", head(), disk};
  keep(l);
  REQUIRE(l.flush());
  return audit_ledger(folder.path()).value();
}

void add(ledger& l, uint64_t first, uint64_t last) {
  for (auto at = first; at < last; ++at)
    l.add(good(at));
}

} // namespace

TEST_CASE("a record is what it was after it has been written") {
  auto bytes = std::vector<std::byte>{};
  append_frame(bytes, good(4));
  auto payload = std::span{bytes}.subspan(sizeof(learn::frame_header));
  CHECK(std::get<ledger_step>(ledger_record_from(payload).value()) == good(4));
  for (auto length = payload.size() - 1; length > 24; --length) // a torn one never is a whole other one of its size
    if (auto r = ledger_record_from(payload.first(length)))
      CHECK(std::get<ledger_step>(*r).entries.size() < good(4).entries.size());
  CHECK(ledger_record_from({}).error().sentence == "it was written by another version");
}

TEST_CASE("a run in which every sample took effect once has nothing missing and nothing doubled") {
  auto r = audited([](ledger& l) { add(l, 0, 6); });
  CHECK(r.is_good());
  CHECK(r.steps == 6);
  CHECK(r.samples == 100);
  CHECK(r.epochs == 2);
  CHECK(r.incarnations == 2);
  CHECK(to_string(r) == "6 steps, 2.00 epochs, 100 samples: missing 0, doubled 0\n"
                        "2 incarnations of agents; 0 micro-batches took more than one attempt\n"
                        "resumed 0 times, went back 0 times; 0 steps took effect anew\n");
}

TEST_CASE("a step that is missing is found") {
  auto without = audited([](ledger& l) {
    add(l, 0, 2);
    add(l, 3, 6);
  });
  CHECK(without.missing == 10); // the last step of an epoch is short
  CHECK(without.findings == std::vector<std::string>{"step 3 is missing"});
  CHECK(without.doubled == 0);
}

TEST_CASE("a micro-batch that is missing, doubled or of other samples is found") {
  auto missing = audited([](ledger& l) {
    auto s = good(0);
    s.entries.pop_back();
    l.add(s);
  });
  CHECK(missing.missing == 4);
  CHECK(missing.doubled == 0);
  CHECK(missing.findings == std::vector<std::string>{"micro-batch 4 of step 1 took effect 0 times"});

  auto doubled = audited([](ledger& l) {
    auto s = good(2);
    s.entries.push_back(s.entries.back());
    add(l, 0, 2);
    l.add(s);
  });
  CHECK(doubled.missing == 0);
  CHECK(doubled.doubled == 2); // the last micro-batch of an epoch is short
  CHECK(doubled.findings == std::vector<std::string>{"micro-batch 2 of step 3 took effect 2 times"});

  auto other = audited([](ledger& l) {
    auto s = good(0);
    s.entries[1].ids = s.entries[2].ids;
    l.add(s);
  });
  CHECK(other.missing == 4);
  CHECK_THAT(other.findings.front(),
             ContainsSubstring("micro-batch 1 of step 1 took other samples than its own (agent/1 #1)"));
  CHECK_FALSE(other.is_good());
}

TEST_CASE("a step that took effect twice is found") {
  auto r = audited([](ledger& l) {
    add(l, 0, 3);
    l.add(good(1));
  });
  CHECK(r.doubled == 20);
  CHECK(r.missing == 0);
}

TEST_CASE("what a run that went back did before is superseded") {
  auto r = audited([](ledger& l) {
    add(l, 0, 5);
    l.add(ledger_rewind{{2}, {4}});
    add(l, 2, 6);
  });
  CHECK(r.is_good());
  CHECK(r.rewinds == 1);
  CHECK(r.superseded == 3);
  CHECK(r.samples == 100);
}

TEST_CASE("what a run did after the checkpoint that another goes on from is superseded, torn end or not") {
  auto whole = temporary_folder{};
  {
    auto l = ledger{whole.path(), head()};
    add(l, 0, 5);
    REQUIRE(l.flush());
  }
  auto first = text_of(ledger_file(whole.path(), 1).string());
  for (auto torn : {size_t{0}, size_t{1}, size_t{30}, size_t{200}}) {
    auto folder = temporary_folder{};
    std::ofstream{ledger_file(folder.path(), 1), std::ios::binary} << first.substr(0, first.size() - torn);
    auto l = ledger{folder.path(), head(2)};
    add(l, 2, 6);
    REQUIRE(l.flush());
    auto r = audit_ledger(folder.path()).value();
    CHECK(r.is_good());
    CHECK(r.begun == 2);
    CHECK(r.samples == 100);
    CHECK(text_of(ledger_file(folder.path(), 1).string()).size() == first.size() - torn); // never touched
  }
}

TEST_CASE("damage in what counts is found") {
  auto folder = temporary_folder{};
  auto l = ledger{folder.path(), head()};
  add(l, 0, 6);
  REQUIRE(l.flush());
  auto path = ledger_file(folder.path(), 1).string();
  auto bytes = text_of(path);
  bytes[bytes.size() / 2] ^= 1;
  std::ofstream{path, std::ios::binary} << bytes;
  auto next = ledger{folder.path(), head(5)}; // a run that goes on from step 5
  add(next, 5, 6);
  REQUIRE(next.flush());
  auto r = audit_ledger(folder.path()).value();
  CHECK_FALSE(r.is_good());
  CHECK(r.missing > 0);
  CHECK_THAT(r.findings.back(), ContainsSubstring("damaged"));
}

TEST_CASE("wherever writing fails, nothing is lost and nothing doubled once it works again") {
  for (int fails = 1;; ++fails) {
    auto folder = temporary_folder{};
    auto disk = failing_file_system{fails, failing_file_system::then::goes_on};
    auto l = ledger{folder.path(), head(), disk};
    for (uint64_t at = 0; at < 9; ++at) {
      l.add(good(at));
      if (auto written = l.flush(); !written)
        CHECK(written.error().sentence == "the ledger was not written: No space left on device");
    }
    REQUIRE(l.flush());
    INFO("operation " << fails << ", " << disk.last_operation());
    auto r = audit_ledger(folder.path()).value();
    CHECK(r.is_good());
    CHECK(r.samples == 150);
    if (disk.last_operation().empty())
      break;
    REQUIRE(fails < 100);
  }
}

TEST_CASE("a folder without a ledger is refused with a sentence") {
  auto folder = temporary_folder{};
  CHECK(audit_ledger(folder.path()).error().sentence ==
        "there is no ledger in " + folder.path().string() + ": name the folder of --ledger or --checkpoint");
  std::ofstream{ledger_file(folder.path(), 1)} << "something else";
  CHECK_THAT(audit_ledger(folder.path()).error().sentence, ContainsSubstring("cannot be read"));
}

TEST_CASE("a head says how the data set is cut into shards; one of before there were any says that it is not") {
  auto back = [](const learn::exchange_options& how) {
    auto h = head(4);
    h.exchange = how;
    auto bytes = std::vector<std::byte>{};
    append_frame(bytes, h);
    return std::get<ledger_head>(ledger_record_from(std::span{bytes}.subspan(sizeof(learn::frame_header))).value());
  };
  CHECK(back({learn::exchange_kind::rotating, 3}).exchange ==
        learn::exchange_options{learn::exchange_kind::rotating, 3});
  CHECK(back({learn::exchange_kind::global, 3}).exchange == learn::exchange_options{});
  CHECK(back({learn::exchange_kind::fixed, 2}).first == step{4});
  auto bytes = std::vector<std::byte>{};
  auto wrong = head();
  wrong.exchange = {static_cast<learn::exchange_kind>(9), 2};
  append_frame(bytes, wrong);
  CHECK_FALSE(ledger_record_from(std::span{bytes}.subspan(sizeof(learn::frame_header))));
}

TEST_CASE("samples that another exchange would have given to a micro-batch are found") {
  auto folder = temporary_folder{};
  auto disk = failing_file_system{0, failing_file_system::then::goes_on};
  auto h = head();
  h.exchange = {learn::exchange_kind::fixed, 2};
  auto l = ledger{folder / "ledger", h, disk};
  add(l, 0, 3); // as if it were global
  REQUIRE(l.flush());
  auto r = audit_ledger(folder.path()).value();
  CHECK(r.missing == 50);
  REQUIRE_FALSE(r.findings.empty());
  CHECK_THAT(r.findings.front(), ContainsSubstring("took other samples than its own"));
}
