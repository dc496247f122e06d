#include "tests/simulation/undisturbed_run.hpp"

#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <map>
#include <stdexcept>
#include <string>
#include <tuple>

#include "actors/placement.hpp"
#include "tests/simulation/tiny_model.hpp"
#include "tests/simulation/training_world.hpp"

namespace troupe::testing {

using namespace std::chrono_literals;

const undisturbed_run& undisturbed_run::known(const training_shape& shape) {
  using key = std::tuple<learn::exchange_kind, uint32_t, size_t, std::string>;
  static std::map<key, undisturbed_run> runs;
  const auto shards = shape.exchange == learn::exchange_kind::global ? 1 : shape.agents;
  const key which{shape.exchange, shards, shape.sizes.micro_batch, to_string(shape.combine)};
  const auto it = runs.find(which);
  return it != runs.end() ? it->second : runs.emplace(which, play(shape)).first->second;
}

undisturbed_run undisturbed_run::play(const training_shape& of) {
  undisturbed_run run;
  simulation world{0, {}};
  training_shape shape{.sizes = of.sizes, .combine = of.combine, .exchange = of.exchange, .compare = false};
  if (shape.exchange != learn::exchange_kind::global)
    shape.agents = of.agents;
  auto& all = world.make<training_world>(world, shape, training_world::add_hosts(world, shape));
  const placement places{all.layout(), shape.shards};
  all.on_parameters = [&](const parameters& p) {
    for (const auto b : places.blocks(p.from.role.index)) {
      const auto values = p.values.as_floats().subspan(places.offset(b), all.layout().blocks()[b].size);
      run.parameters_[{p.applied.version(), b}].assign(values.begin(), values.end());
    }
  };
  world.expect(
    "I8: the undisturbed run ends", [&] { return all.has_ended() && all.outcome(); }, 10min);
  if (world.violation() || !*all.outcome())
    throw std::runtime_error(world.violation().value_or("the undisturbed run fails") + '\n' + world.history().end());
  const auto& done = **all.outcome();
  run.last_ = done.final.version;
  run.accuracy_ = done.test_accuracy;
  for (size_t b = 0; b < tiny_model::blocks; ++b) {
    const auto values =
      done.final.parameters.values().subspan(all.layout().blocks()[b].offset, all.layout().blocks()[b].size);
    run.parameters_[{run.last_, b}].assign(values.begin(), values.end());
  }
  return run;
}

std::optional<std::string> undisturbed_run::differs(step version, size_t block, std::span<const float> values) const {
  const auto it = parameters_.find({version, block});
  if (it == parameters_.end())
    return fmt::format("I3: there is no version {} of block {} in the undisturbed run", version.value, block);
  if (it->second.size() == values.size() && std::memcmp(it->second.data(), values.data(), values.size_bytes()) == 0)
    return std::nullopt;
  return fmt::format("I10: block {} of version {} differs from the undisturbed run", block, version.value);
}

std::optional<std::string> undisturbed_run::is_far(step version, const learn::layout& layout,
                                                   std::span<const float> values, double limit) const {
  double apart = 0;
  double all = 0;
  for (size_t b = 0; b < layout.blocks().size(); ++b) {
    const auto it = parameters_.find({version, b});
    if (it == parameters_.end())
      return fmt::format("I3: there is no version {} of block {} in the undisturbed run", version.value, b);
    for (size_t i = 0; i < it->second.size(); ++i) {
      const double expected = it->second[i];
      const auto difference = expected - static_cast<double>(values[layout.blocks()[b].offset + i]);
      apart += difference * difference;
      all += expected * expected;
    }
  }
  if (std::sqrt(apart) <= limit * std::sqrt(all))
    return std::nullopt;
  return fmt::format("I10: version {} is {:.1e} from the undisturbed run", version.value, std::sqrt(apart / all));
}

} // namespace troupe::testing
