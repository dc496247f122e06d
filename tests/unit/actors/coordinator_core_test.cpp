#include "actors/coordinator_core.hpp"

#include <algorithm>
#include <limits>

#include "tests/unit/actors/small_run.hpp"

using namespace troupe;
using namespace troupe::test;

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

TEST_CASE("a step that is complete waits while another process might lead, and commits when this one does again (I2)") {
  auto leads = false;
  auto c = small();
  c.may_commit = [&] { return leads; };
  auto core = running(c);
  CHECK(run_step(core, 0).empty());
  CHECK(core.on_lead().empty());
  CHECK(core.current() == step{0});
  leads = true;
  auto out = core.on_lead();
  REQUIRE(find<core_t::commit>(out));
  CHECK(find<core_t::account>(out));
  CHECK(core.current() == step{1});
  CHECK(core.on_lead().empty());
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

TEST_CASE("the gradient is scaled down to the norm limit and never up") {
  auto c = small();
  c.optimizer.clip_norm = 2;
  auto core = running(c);
  core.on_results(done(0, 0, 2));
  CHECK(find<core_t::commit>(core.on_summed(summed(0, 16)))->what.scale == static_cast<float>(2.0 / (4.0 + 1e-6)));
  core.on_results(done(1, 0, 2));
  CHECK(find<core_t::commit>(core.on_summed(summed(1, 1)))->what.scale == 1.0f);
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

// -- the staleness dial and rings ------------------------------------------------------------------------------------

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
  c.peer_kind = "ring_peer";
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
