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
  auto core = core_t{std::move(c)};
  CHECK(core.on_join({agent0, {}, false}).empty());
  CHECK(core.on_join({broker, {}, true}).empty());
  auto out = core.on_join({holder, {}, false});
  CHECK(find<core_t::load>(out) != nullptr);
  CHECK(find<core_t::publish>(core.on_loaded(0)) != nullptr);
  return core;
}

micro_batches_done done(uint64_t at, uint64_t first, uint64_t last, member from = agent0) {
  auto d = micro_batches_done{{from.role, from.incarnation, {1}}, {at}, 2, {}, 0};
  for (auto i = first; i < last; ++i)
    d.results.push_back({i, 20.0, 5, 10});
  return d;
}

shard_summed summed(uint64_t at, double squared = 1, bool finite = true) {
  return {{holder.role, holder.incarnation, {1}}, {at}, {{{0}, squared, finite}}};
}

core_t::actions run_step(core_t& core, uint64_t at) {
  core.on_results(done(at, 0, 2));
  return core.on_summed(summed(at));
}

} // namespace

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
