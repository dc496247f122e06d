#include "actors/coordinator_core.hpp"

#include <catch2/catch_test_macros.hpp>
#include <limits>

using namespace troupe;

namespace {

using core_t = coordinator_core;

template <class T>
const T* find(const core_t::actions& xs) {
  for (auto& x : xs)
    if (auto* p = std::get_if<T>(&x))
      return p;
  return nullptr;
}

const auto agent0 = member{{"agent", 0}, {1}};
const auto holder = member{{"shard_holder", 0}, {1}};
const auto broker = member{{"data_broker", 0}, {1}};

core_t::config small() {
  auto c = core_t::config{};
  c.blocks = 1;
  c.sizes = {40, 20, 10}; // two steps of two micro-batches an epoch
  c.epochs = 2;
  return c;
}

core_t running(core_t::config c) {
  if (c.log->begun)
    c.log = std::make_shared<run_log>(); // of another run
  auto core = core_t{std::move(c)};
  CHECK(core.on_join({agent0, {}, false}).empty());
  CHECK(core.on_join({broker, {}, true}).empty());
  auto out = core.on_join({holder, {}, false});
  CHECK(find<core_t::load>(out) != nullptr);
  CHECK(find<core_t::publish>(core.on_loaded(0)) != nullptr);
  return core;
}

micro_batches_done done(uint64_t at, uint64_t first, uint64_t last, member from = agent0) {
  auto d = micro_batches_done{{from.role, from.incarnation, {1}}, {at}, {at}, 2, {}, 0};
  for (auto i = first; i < last; ++i)
    d.results.push_back({i, 20.0, 5, 10});
  return d;
}

shard_summed summed(uint64_t at, double squared = 1, bool finite = true) {
  return {{holder.role, holder.incarnation, {1}}, {at}, {at}, {{{0}, squared, finite}}};
}

core_t::actions run_step(core_t& core, uint64_t at) {
  core.on_results(done(at, 0, 2));
  return core.on_summed(summed(at));
}

} // namespace

TEST_CASE("R8: a shard that was not reached is loaded again while it is there, and when it is back where it ended") {
  auto core = core_t{small()};
  core.on_join({agent0, {}, false});
  core.on_join({broker, {}, true});
  REQUIRE(find<core_t::load>(core.on_join({holder, {}, false})));
  CHECK(find<core_t::load>(core.on_load_lost(0)));
  core.on_lost(holder);
  CHECK(core.on_load_lost(0).empty());
  CHECK(find<core_t::load>(core.on_join({{holder.role, holder.incarnation.next()}, {}, false})));
  core.on_loaded(0);
  CHECK(core.on_load_lost(0).empty());
}

TEST_CASE("a step commits when all its contributions and all its sums are in, once (R4)") {
  auto core = running(small());
  CHECK(core.on_results(done(0, 0, 1)).empty());
  CHECK(core.on_summed(summed(0)).empty());
  CHECK(core.on_results(done(0, 0, 1)).empty()); // a copy
  auto out = core.on_results(done(0, 1, 2));
  REQUIRE(find<core_t::commit>(out));
  CHECK(find<core_t::commit>(out)->what.at == step{0});
  CHECK(find<core_t::committed>(out)->what.at == step{0});
  auto* s = find<core_t::step_done>(out);
  REQUIRE(s);
  CHECK(s->samples == 20);
  CHECK(s->loss == 2.0);
  CHECK(s->accuracy == 0.5);
  CHECK(core.current() == step{1});
}

TEST_CASE("the sums of a shard holder that has ended do not count: its successor has to add them up again (R4)") {
  auto core = running(small());
  CHECK(core.on_summed(summed(0)).empty());
  core.on_lost(holder);
  auto next = member{holder.role, holder.incarnation.next()};
  core.on_join({next, {0}, true});
  CHECK_FALSE(find<core_t::commit>(core.on_results(done(0, 0, 2))));
  auto again = summed(0);
  again.from.incarnation = next.incarnation;
  CHECK(find<core_t::commit>(core.on_summed(again)));
}

TEST_CASE("a step is entered in the ledger before it commits, with whose results it commits") {
  auto core = running(small());
  auto out = run_step(core, 0);
  auto* a = find<core_t::account>(out);
  REQUIRE(a);
  auto& entered = std::get<ledger_step>(a->what);
  CHECK(entered.at == step{0});
  REQUIRE(entered.entries.size() == 2);
  CHECK(entered.entries[1].index == 1);
  CHECK(entered.entries[1].agent == 0);
  CHECK(entered.entries[1].incarnation == agent0.incarnation);
  auto before = [&](size_t i) { return std::holds_alternative<core_t::account>(out[i]); };
  size_t first = 0;
  while (!before(first))
    ++first;
  for (size_t i = 0; i < first; ++i)
    CHECK_FALSE(std::holds_alternative<core_t::commit>(out[i]));
}

TEST_CASE("a commit that was lost is sent again when the holder reports its sums again") {
  auto core = running(small());
  run_step(core, 0);
  auto out = core.on_summed(summed(0));
  REQUIRE(out.size() == 1);
  CHECK(find<core_t::commit>(out)->what.at == step{0});
  CHECK(core.current() == step{1});
}

TEST_CASE("the run ends after its epochs, its steps or when asked, after the step in progress") {
  auto by_epochs = running(small());
  for (uint64_t s = 0; s < 3; ++s)
    CHECK_FALSE(find<core_t::finish>(run_step(by_epochs, s)));
  auto out = run_step(by_epochs, 3);
  REQUIRE(find<core_t::finish>(out));
  CHECK(find<core_t::finish>(out)->version == step{4});
  CHECK(find<core_t::finish>(out)->cause == core_t::stop_cause::epochs_done);

  auto c = small();
  c.steps = 1;
  auto by_steps = running(c);
  CHECK(find<core_t::finish>(run_step(by_steps, 0))->cause == core_t::stop_cause::steps_done);

  auto by_user = running(small());
  by_user.on_results(done(0, 0, 2));
  CHECK_FALSE(find<core_t::finish>(by_user.on_stop()));
  CHECK(find<core_t::finish>(by_user.on_summed(summed(0)))->cause == core_t::stop_cause::interrupted);
}

TEST_CASE("an evaluation goes out before the commit it needs and holds the next commit until it is in") {
  auto c = small();
  c.test_samples = 7;
  c.evaluation_grain = 4;
  auto core = running(c);
  run_step(core, 0);
  core.on_results(done(1, 0, 2));
  auto out = core.on_summed(summed(1));
  auto test = std::find_if(out.begin(), out.end(), [](auto& x) { return std::holds_alternative<core_t::test>(x); });
  auto commit = std::find_if(out.begin(), out.end(), [](auto& x) { return std::holds_alternative<core_t::commit>(x); });
  REQUIRE(test != out.end());
  CHECK(test < commit);
  CHECK_FALSE(find<core_t::commit>(run_step(core, 2))); // held
  auto e = evaluation{{agent0.role, agent0.incarnation, {1}}, {2}, 0, 7, 14.0, 7};
  auto after = core.on_evaluation(e);
  REQUIRE(find<core_t::epoch_done>(after));
  CHECK(find<core_t::epoch_done>(after)->accuracy == 1.0);
  CHECK(find<core_t::epoch_done>(after)->loss == 2.0);
  CHECK(find<core_t::commit>(after)->what.at == step{2});
  CHECK(core.on_evaluation(e).empty()); // a copy
}

TEST_CASE("the target accuracy ends the run") {
  auto c = small();
  c.test_samples = 10;
  c.target_accuracy = 0.9;
  auto core = running(c);
  run_step(core, 0);
  run_step(core, 1);
  auto out = core.on_evaluation({{agent0.role, agent0.incarnation, {1}}, {2}, 0, 10, 1.0, 9});
  REQUIRE(find<core_t::finish>(out));
  CHECK(find<core_t::finish>(out)->cause == core_t::stop_cause::target_reached);
}

TEST_CASE("a gradient that is not finite is never applied (I11)") {
  auto core = running(small());
  core.on_results(done(0, 0, 2));
  auto out = core.on_summed(summed(0, std::numeric_limits<double>::infinity(), false));
  CHECK(find<core_t::give_up>(out) != nullptr);
  CHECK_FALSE(find<core_t::commit>(out));
}

TEST_CASE("the gradient is scaled down to the norm limit and never up") {
  auto c = small();
  c.optimizer.clip_norm = 2;
  auto core = running(c);
  core.on_results(done(0, 0, 2));
  CHECK(find<core_t::commit>(core.on_summed(summed(0, 16)))->what.scale == static_cast<float>(2.0 / (4.0 + 1e-6)));
  core.on_results(done(1, 0, 2));
  CHECK(find<core_t::commit>(core.on_summed(summed(1, 1)))->what.scale == 1.0f);
}

TEST_CASE("late news of an old incarnation does not remove the new one (T2)") {
  auto core = running(small());
  auto again = member{agent0.role, {2}};
  auto out = core.on_join({again, {}, false});
  REQUIRE(find<core_t::publish>(out));
  CHECK(core.on_lost(agent0).empty());
  CHECK(core.on_results(done(0, 0, 2, agent0)).empty());
  core.on_results(done(0, 0, 2, again));
  CHECK(find<core_t::commit>(core.on_summed(summed(0))));
  CHECK(core.dropped() == 1);
}

TEST_CASE("a lost agent's test samples go to another") {
  auto c = small();
  c.agents = 1;
  c.test_samples = 8;
  c.evaluation_grain = 8;
  auto core = running(c);
  run_step(core, 0);
  run_step(core, 1);
  core.on_lost(agent0);
  auto other = member{{"agent", 1}, {1}};
  auto out = core.on_join({other, {}, false});
  REQUIRE(find<core_t::test>(out));
  CHECK(find<core_t::test>(out)->to == other);
}

TEST_CASE("checkpoints are due every so many steps, or at the end of each epoch") {
  auto c = small();
  c.checkpoints = true;
  auto by_epoch = running(c);
  CHECK_FALSE(find<core_t::checkpoint>(run_step(by_epoch, 0)));
  CHECK(find<core_t::checkpoint>(run_step(by_epoch, 1))->version == step{2});
  c.checkpoint_every = 1;
  auto by_step = running(c);
  CHECK(find<core_t::checkpoint>(run_step(by_step, 0))->version == step{1});
}

TEST_CASE("a resumed run that has reached its end ends at once") {
  auto c = small();
  c.first = {4};
  auto core = core_t{c};
  core.on_join({agent0, {}, false});
  core.on_join({broker, {}, true});
  core.on_join({holder, {}, false});
  CHECK(find<core_t::finish>(core.on_loaded(0)));
}

// -- what comes back
// ---------------------------------------------------------------------------------------------------

TEST_CASE("a coordinator that takes over goes on behind the last commit, and says it again (R4)") {
  auto c = small();
  auto before = running(c);
  run_step(before, 0);
  auto view_before = before.number();

  auto after = core_t{c};
  CHECK(after.current() == step{1});
  CHECK(after.on_join({agent0, {1}, true}).empty());
  CHECK(after.on_join({broker, {1}, true}).empty());
  auto out = after.on_join({holder, {0}, true}); // it missed the commit
  CHECK_FALSE(find<core_t::load>(out));
  REQUIRE(find<core_t::commit>(out));
  CHECK(find<core_t::commit>(out)->what == c.log->recent.back());
  REQUIRE(find<core_t::publish>(out));
  CHECK(find<core_t::publish>(out)->what.number > view_before);
  CHECK(find<core_t::commit>(run_step(after, 1)));
}

TEST_CASE("a coordinator that takes over between the end of an epoch and its test has it tested, once") {
  auto c = small();
  c.test_samples = 10;
  c.evaluation_grain = 10;
  auto before = running(c);
  run_step(before, 0);
  CHECK(find<core_t::test>(run_step(before, 1)));

  auto taken_over = [&] {
    auto after = core_t{c};
    after.on_join({agent0, {2}, true});
    after.on_join({broker, {2}, true});
    auto out = after.on_join({holder, {2}, true});
    return std::pair{after, find<core_t::test>(out) != nullptr};
  };
  auto [second, asked] = taken_over();
  CHECK(asked);
  CHECK(find<core_t::epoch_done>(second.on_evaluation({{agent0.role, agent0.incarnation, {}}, {2}, 0, 10, 1, 1})));
  CHECK_FALSE(taken_over().second);
}

TEST_CASE("a coordinator that takes over after the last commit ends the run") {
  auto c = small();
  c.steps = 1;
  auto before = running(c);
  run_step(before, 0);
  auto after = core_t{c};
  after.on_join({agent0, {1}, true});
  after.on_join({broker, {1}, true});
  CHECK(find<core_t::finish>(after.on_join({holder, {1}, true})));
}

TEST_CASE("a user's stop outlives the coordinator that was told") {
  auto c = small();
  auto before = running(c);
  CHECK(before.on_stop().empty());
  auto after = core_t{c};
  after.on_join({agent0, {}, true});
  after.on_join({broker, {}, true});
  after.on_join({holder, {}, true});
  auto out = run_step(after, 0);
  REQUIRE(find<core_t::finish>(out));
  CHECK(find<core_t::finish>(out)->cause == core_t::stop_cause::interrupted);
}

TEST_CASE("T8: a shard that comes back with the current parameters goes on, one that lost them takes the run back") {
  auto c = small();
  auto core = running(c);
  run_step(core, 0);
  auto again = member{holder.role, {2}};
  auto out = core.on_join({again, {1}, true});
  CHECK_FALSE(find<core_t::restore>(out));
  CHECK(find<core_t::publish>(out));

  auto third = member{holder.role, {3}};
  out = core.on_join({third, {}, false});
  CHECK(find<core_t::restore>(out));
  CHECK(find<core_t::note>(out));
  CHECK(core.on_results(done(1, 0, 2)).empty()); // of a time that is void
  out = core.on_restored({0});
  REQUIRE(find<core_t::publish>(out));
  CHECK(find<core_t::publish>(out)->what.current == step{0});
  CHECK(find<core_t::publish>(out)->what.rewound == core.number());
  REQUIRE(find<core_t::load>(out));
  CHECK(find<core_t::load>(out)->version == step{0});
  auto rewound = core.number();
  core.on_loaded(0);
  CHECK(core.on_results(done(0, 0, 2)).empty()); // said in view 1
  CHECK(core.dropped() >= 1);
  auto late = done(0, 0, 2);
  late.from.view = rewound;
  core.on_results(late);
  auto sums = shard_summed{{third.role, third.incarnation, rewound}, {0}, {0}, {{{0}, 1, true}}};
  CHECK(find<core_t::commit>(core.on_summed(sums)));
}

TEST_CASE("R13: a run that goes back again and again without getting further gives up") {
  auto core = running(small());
  for (uint64_t i = 0; i < core_t::max_rewinds; ++i) {
    CHECK(find<core_t::restore>(core.on_join({{holder.role, {2 + i}}, {}, false})));
    core.on_restored({0});
    core.on_loaded(0);
  }
  auto out = core.on_join({{holder.role, {9}}, {}, false});
  REQUIRE(find<core_t::give_up>(out));
  CHECK(find<core_t::give_up>(out)->sentence.find("--resume") != std::string::npos);
}

TEST_CASE("I8: a shard that cannot get what it missed of the last commit takes the run back after some time") {
  auto core = running(small());
  run_step(core, 0);
  core.on_join({{holder.role, {2}}, {0}, true});
  auto ticks = 0;
  while (!find<core_t::restore>(core.on_tick()))
    REQUIRE(++ticks < 20);
  CHECK(ticks >= 3);
}

TEST_CASE("T6 I11: a step that is not finite is skipped, or the run goes back, as it was told") {
  auto c = small();
  c.on_nonfinite = nonfinite::skip;
  auto core = running(c);
  core.on_results(done(0, 0, 2));
  auto out = core.on_summed(summed(0, std::numeric_limits<double>::quiet_NaN(), false));
  REQUIRE(find<core_t::commit>(out));
  CHECK(find<core_t::commit>(out)->what.skip);
  CHECK(c.log->skipped == 1);
  CHECK(core.current() == step{1});
  out = run_step(core, 1);
  CHECK_FALSE(find<core_t::commit>(out)->what.skip);

  auto r = small();
  r.on_nonfinite = nonfinite::rewind;
  auto back = running(r);
  back.on_results(done(0, 0, 2));
  out = back.on_summed(summed(0, 0, false));
  CHECK_FALSE(find<core_t::commit>(out));
  CHECK(find<core_t::restore>(out));
}

TEST_CASE("I15: once an incarnation has joined, no older one is let in again, even when it has gone") {
  auto core = running(small());
  auto second = member{agent0.role, {2}};
  core.on_join({second, {}, false});
  core.on_lost(second);
  auto dropped = core.dropped();
  CHECK(core.on_join({agent0, {}, false}).empty());
  CHECK(core.dropped() == dropped + 1);
  CHECK(find<core_t::publish>(core.on_join({second, {}, false})));
}

TEST_CASE("I2: a holder that comes while the shards are loaded makes a view with a number of its own") {
  auto core = core_t{small()};
  core.on_join({agent0, {}, false});
  core.on_join({broker, {}, true});
  core.on_join({holder, {}, false});
  const auto successor = member{holder.role, {2}};
  const auto out = core.on_join({successor, {}, false});
  const auto* first = find<core_t::publish>(out);
  REQUIRE(first);
  CHECK(first->what.members.back() == successor);
  const auto loaded = core.on_loaded(0);
  const auto* second = find<core_t::publish>(loaded);
  REQUIRE(second);
  CHECK(second->what.number > first->what.number);
}

TEST_CASE("I15: a step does not commit on the sums of a shard holder that is gone") {
  for (const bool noticed : {false, true}) {
    auto core = running(small());
    core.on_summed(summed(0));
    const auto successor = member{holder.role, {2}};
    if (noticed)
      core.on_lost(holder);
    core.on_join({successor, {0}, true}); // with the parameters, without the sums
    CHECK_FALSE(find<core_t::commit>(core.on_results(done(0, 0, 2))));
    auto again = summed(0);
    again.from.incarnation = successor.incarnation;
    CHECK(find<core_t::commit>(core.on_summed(again)));
  }
}

// -- the staleness dial and rings -------------------------------------------------------------------------------------

namespace {

micro_batches_done stale(uint64_t at, uint64_t base) {
  auto d = done(at, 0, 2);
  d.base = {base};
  return d;
}

} // namespace

TEST_CASE("asynchronous steps commit as they are complete, numbered in that order, but not past the end of an epoch") {
  auto c = small(); // two steps an epoch
  c.pace = pace::asynchronous(1);
  auto core = running(c);
  core.on_results(stale(1, 0));
  auto out = core.on_summed(summed(1));
  REQUIRE(find<core_t::commit>(out));
  CHECK(find<core_t::commit>(out)->what.at == step{1});
  CHECK(find<core_t::commit>(out)->what.version == step{0});
  core.on_results(stale(2, 1));
  CHECK_FALSE(find<core_t::commit>(core.on_summed(summed(2)))); // step 0 is missing in this epoch
  core.on_results(stale(0, 0));
  auto late = core.on_summed({{holder.role, holder.incarnation, {1}}, {0}, {1}, {{{0}, 1, true}}});
  std::vector<std::pair<uint64_t, uint64_t>> commits;
  for (auto& a : late)
    if (auto* x = std::get_if<core_t::commit>(&a))
      commits.emplace_back(x->what.at.value, x->what.version.value);
  CHECK(commits == std::vector<std::pair<uint64_t, uint64_t>>{{0, 1}, {2, 2}});
  REQUIRE(find<core_t::step_done>(late));
  CHECK(find<core_t::step_done>(late)->staleness == std::map<uint64_t, uint64_t>{{1, 2}});
}

TEST_CASE("results that are staler than the bound change nothing and are counted (I13)") {
  auto c = small();
  c.pace = pace::bounded(1);
  auto core = running(c);
  core.on_results(stale(0, 0));
  core.on_summed(summed(0));
  auto before = core.dropped();
  core.on_results(stale(2, 0));
  CHECK(core.dropped() == before + 1);
  core.on_results(stale(2, 1));
  CHECK(core.dropped() == before + 1);
}

TEST_CASE("in a ring a step commits when every peer of the present ring has the sum") {
  auto c = small();
  c.ring = true;
  c.agents = 2;
  auto core = core_t{c};
  auto peer = [](uint32_t i) { return member{{"ring_peer", i}, {1}}; };
  core.on_join({agent0, {}, false});
  core.on_join({{{"agent", 1}, {1}}, {}, false});
  core.on_join({broker, {}, true});
  core.on_join({peer(0), {}, false});
  auto begun = core.on_join({peer(1), {}, false});
  CHECK(std::count_if(begun.begin(), begun.end(), [](auto& x) { return std::holds_alternative<core_t::load>(x); }) ==
        2);
  core.on_loaded(0);
  auto out = core.on_loaded(1);
  REQUIRE(find<core_t::publish>(out));
  auto since = find<core_t::publish>(out)->what.crew_since;
  auto says = [&](uint32_t i, view now) {
    return core.on_summed({{peer(i).role, {1}, now}, {0}, {0}, {{{0}, 1, true}}});
  };
  core.on_results(done(0, 0, 2));
  CHECK_FALSE(find<core_t::commit>(says(0, since)));
  // An agent goes: the ring is another one, and what was summed in the one before is void.
  auto next = core.on_lost({{"agent", 1}, {1}});
  REQUIRE(find<core_t::publish>(next));
  auto now = find<core_t::publish>(next)->what.crew_since;
  CHECK(now > since);
  CHECK_FALSE(find<core_t::commit>(says(1, since)));
  CHECK_FALSE(find<core_t::commit>(says(0, now)));
  auto last = says(1, now);
  REQUIRE(find<core_t::commit>(last));
  CHECK(find<core_t::commit>(last)->what.crew_since == now);
}
