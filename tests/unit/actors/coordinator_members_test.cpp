// Who takes part in a run, and what becomes of it when somebody goes or comes back, the coordinator among them.

#include "tests/unit/actors/small_run.hpp"

using namespace troupe;
using namespace troupe::test;

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

TEST_CASE(
  "a coordinator that takes over waits a little for everybody, so that a ring goes on with what it has summed") {
  auto c = small();
  c.peer_kind = "ring_peer";
  c.agents = 2;
  auto before = core_t{c};
  const auto everybody =
    std::vector<member>{agent0, {{"agent", 1}, {1}}, broker, {{"ring_peer", 0}, {1}}, {{"ring_peer", 1}, {1}}};
  for (auto& m : everybody)
    before.on_join({m, {}, true});
  before.on_loaded(0);
  before.on_loaded(1);
  const auto ring = c.log->crew_since;
  auto rejoin = [&](size_t n) {
    auto after = core_t{c};
    auto out = core_t::actions{};
    for (size_t i = 0; i < n; ++i)
      out = after.on_join({everybody[i], {}, true});
    return std::pair{after, std::move(out)};
  };
  auto [whole, out] = rejoin(5);
  REQUIRE(find<core_t::publish>(out));
  CHECK(find<core_t::publish>(out)->what.crew_since == ring);
  auto [partial, nothing] = rejoin(4);
  CHECK(nothing.empty());
  auto late = partial.on_tick(); // the fifth is gone
  REQUIRE(find<core_t::publish>(late));
  CHECK(find<core_t::publish>(late)->what.crew_since > ring);
}

TEST_CASE("who has joined before it could be answered is told the view when it can") {
  auto core = running(small());
  auto out = core.on_bound(holder);
  REQUIRE(out.size() == 1);
  REQUIRE(find<core_t::publish>(out));
  CHECK(find<core_t::publish>(out)->to == std::vector{holder});
  CHECK(find<core_t::publish>(out)->what.number == core.number());
  CHECK(core.on_bound({holder.role, {2}}).empty());
}

TEST_CASE("a shard holder that has joined before it could be reached is loaded when it can, until it is") {
  auto core = core_t{small()};
  core.on_join({agent0, {}, false});
  core.on_join({broker, {}, true});
  core.on_join({holder, {}, false});
  REQUIRE(find<core_t::load>(core.on_bound(holder)));
  CHECK(core.on_bound({holder.role, {2}}).empty());
  core.on_loaded(0);
  CHECK_FALSE(find<core_t::load>(core.on_bound(holder)));
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

TEST_CASE("I8: a shard that misses the last commit, whose contributor is gone, takes the run back at once, unless it "
          "has the sum") {
  for (auto has_sum : {false, true}) {
    auto core = running(small());
    run_step(core, 0);
    core.on_lost(agent0);
    auto out =
      core.on_join({{holder.role, {2}}, {0}, true, {}, has_sum ? std::vector<step>{{0}} : std::vector<step>{}});
    CHECK((find<core_t::restore>(out) != nullptr) != has_sum);
    if (!has_sum)
      continue;
    auto sums = shard_summed{{holder.role, {2}, core.number()}, {0}, {0}, {{{0}, 1, true}}};
    REQUIRE(find<core_t::commit>(core.on_summed(sums))); // again
    CHECK(core.current() == step{1});
  }
}

TEST_CASE("I8: a shard that is lost after the last step, before its parameters were collected, takes the run back") {
  auto c = small();
  c.steps = 1;
  auto core = running(c);
  REQUIRE(find<core_t::finish>(run_step(core, 0)));
  core.on_lost(holder);
  CHECK_FALSE(find<core_t::restore>(core.on_join({{holder.role, {2}}, {1}, true}))); // it still has them
  core.on_lost({holder.role, {2}});
  CHECK(find<core_t::restore>(core.on_join({{holder.role, {3}}, {}, false})));
  auto rewound = find<core_t::publish>(core.on_restored({0}))->what.rewound;
  core.on_loaded(0);
  auto late = done(0, 0, 2);
  late.from.view = rewound;
  core.on_results(late);
  auto sums = shard_summed{{holder.role, {3}, rewound}, {0}, {0}, {{{0}, 1, true}}};
  CHECK(find<core_t::finish>(core.on_summed(sums)));
}

TEST_CASE("I8: a shard that missed the last commit is told it again after the end, or takes the run back") {
  auto c = small();
  c.steps = 1;
  auto core = running(c);
  run_step(core, 0);
  CHECK(find<core_t::commit>(core.on_summed(summed(0))));
  core.on_join({{holder.role, {2}}, {0}, true}); // without the sums of that step
  auto ticks = 0;
  while (!find<core_t::restore>(core.on_tick()))
    REQUIRE(++ticks < 20);
  CHECK(ticks >= 3);
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

TEST_CASE("who has left is told of, and a word of it that comes late does not bring it back (I15)") {
  auto core = running(small());
  auto other = member{{"agent", 1}, {1}};
  core.on_join({other, {}, false});
  auto out = core.on_left(other);
  CHECK(find<core_t::note>(out)->sentence == "agent/1 has left the run");
  CHECK(find<core_t::publish>(out)->what.members.size() == 3);
  auto dropped = core.dropped();
  CHECK(core.on_join({other, {}, false}).empty());
  CHECK(core.dropped() == dropped + 1);
  CHECK_FALSE(core.has(other));
  auto next = member{other.role, other.incarnation.next()};
  core.on_join({next, {}, false});
  CHECK(core.has(next));
}

TEST_CASE("a run whose agents have all left stops; one whose last agent has crashed waits for it") {
  auto core = running(small());
  auto other = member{{"agent", 1}, {1}};
  core.on_join({other, {}, false});
  core.on_left(other);
  CHECK(core.running());
  auto out = core.on_left(agent0);
  REQUIRE(find<core_t::finish>(out));
  CHECK(find<core_t::finish>(out)->cause == core_t::stop_cause::interrupted);

  auto waits = running(small());
  waits.on_join({other, {}, false});
  waits.on_lost(agent0);
  CHECK_FALSE(find<core_t::finish>(waits.on_left(other)));
  CHECK(waits.running());
}

TEST_CASE(
  "an evaluation that an agent was asked for goes to another when it leaves, whichever of its starts was asked") {
  auto c = small();
  c.test_samples = 20;
  c.evaluation_grain = 10;
  auto core = running(c);
  auto other = member{{"agent", 1}, {1}};
  core.on_join({other, {}, false});
  run_step(core, 0);
  auto asked = run_step(core, 1);
  REQUIRE(find<core_t::test>(asked));
  auto next = member{other.role, other.incarnation.next()};
  core.on_join({next, {}, false});
  auto out = core.on_left(next);
  REQUIRE(find<core_t::test>(out));
  CHECK(find<core_t::test>(out)->to == agent0);
  CHECK(find<core_t::test>(out)->what.first == 10);
}

TEST_CASE("a run that its agents have left waits a while for one that has not joined yet, and not forever") {
  auto c = small();
  c.most_agents = 2;
  auto core = running(c);
  CHECK_FALSE(find<core_t::finish>(core.on_left(agent0)));
  CHECK(core.running());
  core.on_tick();
  CHECK(core.running());
  core.on_join({{{"agent", 1}, {1}}, {}, false});
  CHECK(find<core_t::finish>(core.on_left({{"agent", 1}, {1}})));

  auto alone = running(c);
  alone.on_left(agent0);
  int ticks = 0;
  for (; alone.running() && ticks < 100; ++ticks)
    alone.on_tick();
  CHECK(ticks == 15);
}

TEST_CASE(
  "a run that is to stop, and whose agents are all lost, does not wait for ever for a step that nobody finishes "
  "(I8)") {
  auto core = running(small());
  run_step(core, 0);
  core.on_lost(agent0);
  for (int i = 0; i < 100; ++i)
    CHECK_FALSE(find<core_t::finish>(core.on_tick())); // it is awaited
  core.on_join({{agent0.role, {2}}, {}, false});
  core.on_tick();
  core.on_stop();
  CHECK_FALSE(find<core_t::finish>(core.on_lost({agent0.role, {2}})));
  CHECK_FALSE(find<core_t::finish>(core.on_tick())); // for a moment it may be back
  SECTION("it stops where it is") {
    core.on_tick();
    auto out = core.on_tick();
    REQUIRE(find<core_t::finish>(out));
    CHECK(find<core_t::finish>(out)->cause == core_t::stop_cause::interrupted);
    CHECK(find<core_t::finish>(out)->version == step{1});
  }
  SECTION("an agent that is back finishes the step") {
    core.on_join({{agent0.role, {3}}, {}, false});
    for (int i = 0; i < 100; ++i)
      CHECK_FALSE(find<core_t::finish>(core.on_tick()));
  }
  SECTION("a shard that is not there is waited for") {
    core.on_lost(holder);
    for (int i = 0; i < 100; ++i)
      CHECK_FALSE(find<core_t::finish>(core.on_tick()));
  }
}
