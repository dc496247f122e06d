#pragma once

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <utility>
#include <variant>

#include "actors/coordinator_core.hpp"

/// A coordinator's core with one agent, one shard holder and the data broker.
namespace troupe::test {

using core_t = coordinator_core;

/// The first action of that kind, or null.
template <class T>
const T* find(const core_t::actions& xs) {
  for (auto& x : xs)
    if (auto* p = std::get_if<T>(&x))
      return p;
  return nullptr;
}

inline const auto agent0 = member{{"agent", 0}, {1}};
inline const auto holder = member{{"shard_holder", 0}, {1}};
inline const auto broker = member{{"data_broker", 0}, {1}};

inline core_t::config small() {
  auto c = core_t::config{};
  c.blocks = 1;
  c.sizes = {40, 20, 10}; // two steps of two micro-batches an epoch
  c.epochs = 2;
  return c;
}

/// Begun: everybody has joined and the shard is loaded.
inline core_t running(core_t::config c) {
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

inline micro_batches_done done(uint64_t at, uint64_t first, uint64_t last, member from = agent0) {
  auto d = micro_batches_done{{from.role, from.incarnation, {1}}, {at}, {at}, 2, {}, 0};
  for (auto i = first; i < last; ++i)
    d.results.push_back({i, 20.0, 5, 10});
  return d;
}

inline shard_summed summed(uint64_t at, double squared = 1, bool finite = true) {
  return {{holder.role, holder.incarnation, {1}}, {at}, {at}, {{{0}, squared, finite}}};
}

inline core_t::actions run_step(core_t& core, uint64_t at) {
  core.on_results(done(at, 0, 2));
  return core.on_summed(summed(at));
}

} // namespace troupe::test
