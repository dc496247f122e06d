#include "tests/support/explore.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <fmt/format.h>
#include <string_view>

namespace troupe::testing {

namespace {

struct played {
  std::optional<std::string> violation;
  std::string mix;
  std::string end;
  std::vector<trace::event> events;
  uint64_t steps = 0;
  nanoseconds time{0};
};

constexpr size_t whole = 1'000'000; ///< lines of a trace

played play(const scenario& what, uint64_t seed, size_t lines = 40) {
  simulation world{seed, what.most};
  world.history().show(lines);
  played result{.mix = to_string(world.mix())};
  what.play(world);
  result.violation = world.violation();
  if (result.violation || lines == whole)
    result.end = world.history().end();
  result.events = world.history().events();
  result.steps = world.steps();
  result.time = world.now().time_since_epoch();
  return result;
}

std::optional<finding> compare(uint64_t seed, const played& first, const played& second) {
  const auto& a = first.events;
  const auto& b = second.events;
  const auto differs = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (differs.first == a.end() && differs.second == b.end())
    return std::nullopt;
  return finding{seed,
                 fmt::format("I14: two runs of seed {} differ from event {} of {} on (at {:.6f} s)", seed,
                             differs.first - a.begin(), a.size(),
                             differs.first == a.end() ? 0.0 : static_cast<double>(differs.first->at.count()) / 1e9),
                 first.mix,
                 {}};
}

struct request {
  uint64_t first = 1;
  uint64_t count = 200;
  bool replay = false;
};

std::optional<request> parse(int count, char** arguments) {
  request result;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view option = arguments[i];
    const std::string_view text = arguments[i + 1];
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size())
      return std::nullopt;
    if (option == "--seeds")
      result.count = value;
    else if (option == "--first")
      result.first = value;
    else if (option == "--seed")
      result = {.first = value, .count = 1, .replay = true};
    else
      return std::nullopt;
  }
  return count % 2 == 1 ? std::optional{result} : std::nullopt;
}

void print(const finding& f, const char* program) {
  fmt::print("replay with: {} --seed {}\n", program, f.seed);
  fmt::print("violated: {}\n", f.sentence);
  fmt::print("faults of this seed: {}\n", f.mix);
  if (!f.end.empty())
    fmt::print("how it ended:\n{}", f.end);
}

} // namespace

exploration explore(const scenario& what, uint64_t first, uint64_t count) {
  exploration result;
  const auto start = std::chrono::steady_clock::now();
  for (auto seed = first; seed < first + count && !result.found; ++seed) {
    const auto once = play(what, seed);
    const auto again = play(what, seed);
    result.found = compare(seed, once, again);
    if (once.violation)
      result.found = finding{seed, *once.violation, once.mix, once.end};
    ++result.played;
    result.steps += once.steps + again.steps;
    result.virtual_time += once.time + again.time;
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

int simulate(const scenario& what, int count, char** arguments) {
  const auto asked = parse(count, arguments);
  if (!asked) {
    fmt::print(stderr, "usage: {} [--seeds N] [--first S], or --seed S to replay one\n", arguments[0]);
    return 2;
  }
  if (asked->replay) {
    const auto once = play(what, asked->first, whole);
    fmt::print("faults of this seed: {}\n{}", once.mix, once.end);
    fmt::print("{}\n", once.violation ? "violated: " + *once.violation : "nothing is violated");
    return once.violation ? 1 : 0;
  }
  const auto result = explore(what, asked->first, asked->count);
  if (result.found)
    print(*result.found, arguments[0]);
  fmt::print("{} seeds, each played twice with the same trace: {:.0f} runs/s, {} steps in {:.0f} s of virtual time\n",
             result.found ? result.played - 1 : result.played,
             static_cast<double>(2 * result.played) / std::max(result.seconds, 1e-9), result.steps,
             static_cast<double>(result.virtual_time.count()) / 1e9);
  return result.found ? 1 : 0;
}

} // namespace troupe::testing
