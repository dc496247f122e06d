#include "actors/sample_keeper_core.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <numeric>

using namespace troupe;

namespace {

using core = sample_keeper_core;
using id_list = std::vector<uint32_t>;

constexpr size_t samples_in_all = 40;

core::config config_of(uint32_t slot, learn::exchange_kind how, size_t slots = 4) {
  return {.slot = slot, .exchange = {how, slots}, .samples = samples_in_all, .last_epoch = 9, .piece = 4};
}

need_samples need(uint64_t epoch, id_list ids = {}, uint64_t at = 0, uint64_t applied = 0) {
  return {{"agent", 0}, {at}, {applied}, epoch, false, std::move(ids)};
}

template <class Action>
std::vector<Action> only(const core::actions& all) {
  std::vector<Action> result;
  for (const auto& a : all)
    if (const auto* x = std::get_if<Action>(&a))
      result.push_back(*x);
  return result;
}

/// Keepers that are asked by each other and of which each has its agent; what is asked for is answered in its order.
struct town {
  explicit town(learn::exchange_kind how, size_t slots = 4) {
    for (uint32_t i = 0; i < slots; ++i)
      keepers.emplace_back(config_of(i, how, slots));
    is_there.assign(slots, true);
  }

  void need_at(uint32_t slot, const need_samples& what) { perform(slot, keepers[slot].on_need(what)); }
  void all_enter(uint64_t epoch) {
    for (uint32_t i = 0; i < keepers.size(); ++i)
      need_at(i, need(epoch));
    settle();
  }

  void perform(uint32_t slot, const core::actions& actions) {
    for (const auto& a : only<core::open>(actions))
      perform(slot, keepers[slot].on_opened(a.shard, false));
    for (const auto& a : only<core::ask>(actions))
      asked.push_back({slot, a});
    told[slot] += only<core::tell>(actions).size();
    most_asked = std::max<size_t>(most_asked, static_cast<size_t>(std::count_if(
                                                asked.begin(), asked.end(), [&](auto& x) { return x.from == slot; })));
  }

  /// Answers one request; one that waits goes behind the others.
  void step() {
    auto [from, what] = asked.front();
    asked.pop_front();
    if (!what.keeper) {
      for (auto id = what.range.first; id < what.range.last; ++id)
        from_source.push_back(static_cast<uint32_t>(id));
      singles.insert(singles.end(), what.ids.begin(), what.ids.end());
      return perform(from, keepers[from].on_arrived(what.number));
    }
    const auto wanted = request_samples{{"sample_keeper", from}, what.at,  what.of_test, what.range.first,
                                        what.range.last,         what.ids, what.can_wait};
    auto& other = keepers[*what.keeper];
    const auto answer = is_there[*what.keeper] ? other.answer_to(wanted) : core::answer::elsewhere;
    if (answer == core::answer::later)
      return asked.push_back({from, what});
    if (answer == core::answer::elsewhere)
      return perform(from, keepers[from].on_failed(what.number));
    for (auto id = what.range.first; id < what.range.last; ++id)
      from_keepers.push_back(static_cast<uint32_t>(id));
    perform(*what.keeper, other.on_served(wanted));
    perform(from, keepers[from].on_arrived(what.number));
  }

  void settle() {
    for (int turn = 0; turn < 10'000 && !asked.empty(); ++turn)
      step();
    REQUIRE(asked.empty());
  }

  struct request {
    uint32_t from;
    core::ask what;
  };
  std::vector<core> keepers;
  std::vector<bool> is_there;
  std::deque<request> asked;
  id_list from_source; // pieces of shards
  id_list from_keepers;
  id_list singles;
  std::map<uint32_t, size_t> told;
  size_t most_asked = 0;
};

} // namespace

TEST_CASE("a shard that stays is fetched once, from the source, and never again") {
  auto t = town{learn::exchange_kind::fixed};
  for (uint64_t epoch = 0; epoch < 3; ++epoch)
    t.all_enter(epoch);
  CHECK(t.from_source.size() == samples_in_all);
  CHECK(t.from_keepers.empty());
  for (uint32_t i = 0; i < 4; ++i)
    CHECK(t.keepers[i].held() == std::set<size_t>{i});
}

TEST_CASE("shards that are handed round come from the source once, and then from the keeper before") {
  for (const size_t slots : {2, 3, 4}) {
    auto t = town{learn::exchange_kind::rotating, slots};
    for (uint64_t epoch = 0; epoch < 6; ++epoch) {
      t.all_enter(epoch);
      for (size_t i = 0; i < slots; ++i) {
        CHECK(t.keepers[i].held().contains((i + epoch) % slots));
        CHECK(t.keepers[i].held().contains((i + epoch + 1) % slots)); // fetched ahead
        CHECK(t.keepers[i].held().size() <= 3);
      }
    }
    CHECK(t.from_source.size() == samples_in_all);
    // In each epoch the next shard passes on; of two, both are held from the first epoch on.
    CHECK(t.from_keepers.size() == (slots == 2 ? 1 : 6) * samples_in_all);
    CHECK(t.most_asked <= core::most_pieces);
  }
}

TEST_CASE("nothing is fetched for an epoch that does not come") {
  auto c = config_of(0, learn::exchange_kind::rotating);
  c.last_epoch = 2;
  auto k = core{c};
  CHECK(only<core::open>(k.on_need(need(1))).size() == 2);
  CHECK(only<core::open>(k.on_need(need(2))).empty());
  CHECK(k.on_need(need(3, {1, 2})).empty());
  CHECK(k.dropped() == 1);
}

TEST_CASE("a shard is given up when the keeper that needs it next has it, or another epoch has passed") {
  auto k = core{config_of(1, learn::exchange_kind::rotating)};
  k.on_need(need(0));
  k.on_opened(1, true);
  k.on_opened(2, true);
  const auto piece = [](uint32_t from, uint64_t first, uint64_t last) {
    return request_samples{{"sample_keeper", from}, {}, false, first, last, {}};
  };
  CHECK(only<core::drop>(k.on_need(need(1))).empty());            // nobody has asked for shard 1
  CHECK(only<core::drop>(k.on_served(piece(3, 10, 20))).empty()); // another one than the next
  CHECK(only<core::drop>(k.on_served(piece(0, 10, 14))).empty());
  const auto dropped = only<core::drop>(k.on_served(piece(0, 14, 20)));
  REQUIRE(dropped.size() == 1);
  CHECK(dropped[0].shard == 1);
  CHECK(k.held() == std::set<size_t>{2});
  CHECK(k.answer_to(piece(0, 10, 14)) == core::answer::elsewhere);

  k.on_opened(3, true);
  k.on_need(need(2)); // shard 2 was not fetched: it stays for this epoch
  CHECK(k.held() == std::set<size_t>{2, 3});
  k.on_need(need(3));
  CHECK_FALSE(k.held().contains(2));
}

TEST_CASE("a keeper that is not there costs a question, and the source has what it had") {
  auto t = town{learn::exchange_kind::rotating};
  t.all_enter(0);
  t.is_there[2] = false;
  t.from_source.clear();
  t.all_enter(1);
  for (int tick = 0; tick < 2; ++tick) {
    for (auto& k : t.keepers)
      t.perform(static_cast<uint32_t>(&k - t.keepers.data()), k.on_tick());
    t.settle();
  }
  for (uint32_t i = 0; i < 4; ++i)
    CHECK(t.keepers[i].held().contains((i + 2) % 4));
  CHECK(t.from_source.size() == 10); // shard 3, which slot 1 was to get from slot 2
}

TEST_CASE("who has a shard soon is asked for it at each tick, and when another keeper appears, before the source is") {
  auto k = core{config_of(0, learn::exchange_kind::rotating)};
  k.on_need(need(0));
  k.on_opened(0, true);
  const auto fail_all = [&](const std::vector<core::ask>& asked) {
    for (const auto& a : asked)
      k.on_failed(a.number);
  };
  auto asked = only<core::ask>(k.on_opened(1, false));
  fail_all(asked);
  for (int i = 0; i < 5; ++i) {
    asked = only<core::ask>(k.on_bound());
    REQUIRE(asked.size() == core::most_pieces_ahead);
    CHECK(asked[0].keeper == 1);
    fail_all(asked);
  }
  asked = only<core::ask>(k.on_tick());
  CHECK(asked.at(0).keeper == 1);
  fail_all(asked);
  asked = only<core::ask>(k.on_tick());
  CHECK_FALSE(asked.at(0).keeper);
}

TEST_CASE("single samples are asked of the source, once, before what is fetched for later") {
  auto k = core{config_of(0, learn::exchange_kind::fixed)};
  auto asked = only<core::ask>(k.on_need(need(0, {30, 31, 3, 39, 38, 37}, 7)));
  REQUIRE(asked.size() == 2);
  CHECK_FALSE(asked[0].keeper);
  CHECK(asked[0].at == step{7});
  CHECK(asked[0].ids == id_list{30, 31, 39, 38}); // 3 comes with the shard
  CHECK(asked[1].ids == id_list{37});
  CHECK(only<core::ask>(k.on_need(need(0, {30, 37, 36}, 7))).at(0).ids == id_list{36}); // what is on its way is not
  CHECK(only<core::tell>(k.on_arrived(asked[1].number)).size() == 1);
  CHECK(only<core::ask>(k.on_need(need(0, {37}, 8))).at(0).ids == id_list{37});
}

TEST_CASE("so many pieces are on their way at most, and fewer of them for the next epoch") {
  auto k = core{config_of(0, learn::exchange_kind::rotating)};
  k.on_need(need(0));
  const auto ahead = only<core::ask>(k.on_opened(1, false));
  CHECK(ahead.size() == core::most_pieces_ahead);
  CHECK(std::all_of(ahead.begin(), ahead.end(), [](auto& a) { return a.keeper == 1 && a.can_wait; }));
  const auto now = only<core::ask>(k.on_opened(0, false));
  CHECK(now.size() == core::most_pieces - core::most_pieces_ahead);
  CHECK(std::none_of(now.begin(), now.end(), [](auto& a) { return a.can_wait; }));
  CHECK(only<core::ask>(k.on_need(need(0, {35}))).empty());
  CHECK(only<core::ask>(k.on_arrived(now[0].number)).at(0).ids == id_list{35}); // what the agent waits for goes first
}

TEST_CASE("what is asked for in vain is asked for again: of the source at the next tick") {
  auto k = core{config_of(0, learn::exchange_kind::fixed)};
  k.on_need(need(0));
  auto asked = only<core::ask>(k.on_opened(0, false));
  REQUIRE(asked.size() == 3);
  for (const auto& a : asked)
    CHECK(only<core::ask>(k.on_failed(a.number)).empty());
  CHECK(k.on_failed(asked[0].number).empty()); // said twice
  CHECK(k.dropped() == 1);
  asked = only<core::ask>(k.on_tick());
  REQUIRE(asked.size() == 3);
  CHECK(asked[0].range.first == 0);
  CHECK(asked[2].range.last == 10);
  for (const auto& a : asked)
    k.on_arrived(a.number);
  CHECK(k.held() == std::set<size_t>{0});
}

TEST_CASE("what comes for a shard that is not wanted any more changes nothing") {
  auto k = core{config_of(0, learn::exchange_kind::rotating)};
  k.on_need(need(0));
  const auto asked = only<core::ask>(k.on_opened(0, false));
  k.on_need(need(5)); // the run went on from elsewhere
  CHECK_FALSE(k.wants(asked[0].number));
  CHECK(k.on_arrived(asked[0].number).empty());
  CHECK(k.dropped() == 1);
}

TEST_CASE("a keeper has others wait for what it gets soon, if they can, and refuses what is no piece") {
  auto k = core{config_of(0, learn::exchange_kind::rotating)};
  auto piece = request_samples{{"sample_keeper", 3}, {}, false, 0, 4, {}, true};
  CHECK(k.answer_to(piece) == core::answer::later); // it does not know yet
  k.on_need(need(0));
  CHECK(k.answer_to(piece) == core::answer::later);
  piece.can_wait = false; // two that wait for each other would wait for ever
  CHECK(k.answer_to(piece) == core::answer::elsewhere);
  k.on_opened(0, true);
  CHECK(k.answer_to(piece) == core::answer::here);
  for (const auto& [first, last] : {std::pair{0, 5}, {8, 12}, {4, 4}, {6, 2}, {40, 41}}) {
    piece.first = static_cast<uint64_t>(first);
    piece.last = static_cast<uint64_t>(last);
    CHECK(k.answer_to(piece) == core::answer::elsewhere);
  }
}

TEST_CASE("what a stand-in needs of the shard that it fetches ahead is waited for, and comes sooner") {
  auto k = core{config_of(0, learn::exchange_kind::rotating)};
  k.on_need(need(0));
  k.on_opened(0, true);
  const auto ahead = only<core::ask>(k.on_opened(1, false));
  const auto now = only<core::ask>(k.on_need(need(0, {19})));
  CHECK(ahead.size() == 2);
  REQUIRE(now.size() == 1); // the third and last piece of the shard, and no single sample
  CHECK(now[0].ids.empty());
  CHECK(now[0].range.last == 20);
}
