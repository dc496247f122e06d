#include "actors/mode_change.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>
#include <string_view>

#include "actors/data_parallel.hpp"
#include "actors/planned_faults.hpp"

namespace troupe {
namespace {

template <class T>
expected<T> whole_number(std::string_view text, T least) {
  auto value = T{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least)
    return fail(fmt::format("takes a whole number from {} on, not \"{}\"", least, text));
  return value;
}

// How one option of synchronisation is set from its spelling.
struct changeable {
  std::string_view name;
  expected<void> (*set)(job_options&, const std::string&);
};

template <class T, class To>
expected<void> assign(const expected<T>& from, To& to) {
  if (!from)
    return tl::unexpected(from.error());
  to = *from;
  return {};
}

// What belongs to the way before does not stay with another one.
expected<void> set_sync(job_options& o, const std::string& value) {
  o.sync = value;
  o.fan_in = 0;
  o.shards = 0;
  return {};
}

expected<void> set_staleness(job_options& o, const std::string& value) {
  o.asynchronous = value == "async";
  return assign(o.asynchronous ? expected<uint64_t>{0} : whole_number<uint64_t>(value, 0), o.staleness);
}

constexpr auto changeables = std::array{
  changeable{"sync", set_sync},
  changeable{"staleness", set_staleness},
  changeable{"fan-in", [](job_options& o, const std::string& v) { return assign(whole_number(v, 2), o.fan_in); }},
  changeable{"shards", [](job_options& o, const std::string& v) { return assign(whole_number(v, 1), o.shards); }},
  changeable{"combine",
             [](job_options& o, const std::string& v) { return assign(learn::parse_combine(v), o.combine); }},
  changeable{"compress",
             [](job_options& o, const std::string& v) { return assign(learn::parse_compression(v), o.compression); }},
};

expected<void> apply(job_options& o, const mode_change& c) {
  auto what = std::find_if(changeables.begin(), changeables.end(), [&](auto& x) { return x.name == c.option; });
  if (what == changeables.end()) {
    auto names = std::vector<std::string_view>{};
    for (auto& x : changeables)
      names.push_back(x.name);
    return fail(fmt::format("{} cannot change during a run: what can is {}", c.option, fmt::join(names, ", ")));
  }
  if (auto set = what->set(o, c.value); !set)
    return fail(fmt::format("{} {}", c.option, set.error().sentence));
  return {};
}

// The change of `sync` comes first, since it sets back what goes with it.
bool is_before(const mode_change& a, const mode_change& b) {
  return std::pair{a.at, a.option != "sync"} < std::pair{b.at, b.option != "sync"};
}

failure in_part(uint64_t from, const failure& why) {
  return from == 0 ? why : failure{fmt::format("from step {} on: {}", from, why.sentence)};
}

// Each has to be possible in one part; which roles there are depends on the part.
expected<void> check_faults_of_parts(const std::vector<fault>& faults, const std::vector<run_part>& parts) {
  for (auto& f : faults) {
    auto why = failure{};
    auto fits = std::any_of(parts.begin(), parts.end(), [&](auto& part) {
      auto o = part.options;
      o.faults = {f};
      auto resolved = resolve(std::move(o));
      if (!resolved && why.sentence.empty())
        why = resolved.error();
      return resolved.has_value();
    });
    if (!fits)
      return tl::unexpected(why);
  }
  return {};
}

} // namespace

expected<mode_change> parse_mode_change(const std::string& text) {
  auto colon = text.find(':');
  auto equals = text.find('=', colon == text.npos ? 0 : colon);
  if (colon == text.npos || equals == text.npos)
    return fail(fmt::format("takes STEP:OPTION=VALUE, as in 200:sync=ring, not \"{}\"", text));
  auto at = whole_number<uint64_t>(std::string_view{text}.substr(0, colon), 1);
  if (!at)
    return fail(fmt::format("the step of a change {}", at.error().sentence));
  auto result = mode_change{*at, text.substr(colon + 1, equals - colon - 1), text.substr(equals + 1)};
  auto probe = job_options{};
  if (auto possible = apply(probe, result); !possible)
    return tl::unexpected(possible.error());
  return result;
}

std::string to_string(const mode_change& c) {
  return fmt::format("{}:{}={}", c.at, c.option, c.value);
}

expected<std::vector<run_part>> parts_of(const job_options& options) {
  if (!options.standby.empty() && !options.changes.empty())
    return fail("a standby does not take over changes of how agents synchronise yet: leave out --standby or --switch");
  auto changes = options.changes;
  std::stable_sort(changes.begin(), changes.end(), is_before);
  auto parts = std::vector<run_part>{{options, 0}};
  parts.front().options.changes.clear();
  parts.front().options.faults.clear();
  auto from = uint64_t{0};
  for (auto& c : changes) {
    if (c.at == 0 || (options.steps != 0 && c.at >= options.steps))
      return fail(fmt::format("{} is no step between the first and the last one: let the change {} come earlier, or "
                              "the run go on for longer",
                              c.at, to_string(c)));
    if (c.at != from) {
      parts.back().until = from = c.at;
      parts.push_back({parts.back().options, 0});
    }
    if (auto applied = apply(parts.back().options, c); !applied)
      return tl::unexpected(applied.error());
  }
  from = 0;
  for (auto& part : parts) {
    if (auto resolved = resolve(part.options); !resolved)
      return tl::unexpected(in_part(from, resolved.error()));
    from = part.until;
  }
  if (auto fit = check_faults_of_parts(options.faults, parts); !fit)
    return tl::unexpected(fit.error());
  return parts;
}

job_report merge(job_report first, const job_report& then) {
  auto steady = first.samples_per_second * first.training_seconds + then.samples_per_second * then.training_seconds;
  first.reason = then.reason;
  first.steps = then.steps;
  first.samples += then.samples;
  first.seconds += then.seconds;
  first.training_seconds += then.training_seconds;
  first.samples_per_second = first.training_seconds > 0 ? steady / first.training_seconds : 0;
  first.train_loss.insert(first.train_loss.end(), then.train_loss.begin(), then.train_loss.end());
  first.test_accuracy.insert(first.test_accuracy.end(), then.test_accuracy.begin(), then.test_accuracy.end());
  first.weights_sha256 = then.weights_sha256;
  first.restarts += then.restarts;
  first.skipped_steps += then.skipped_steps;
  for (auto& [updates, micro_batches] : then.staleness)
    first.staleness[updates] += micro_batches;
  first.dropped_messages += then.dropped_messages;
  first.sent_bytes += then.sent_bytes;
  first.received_bytes += then.received_bytes;
  first.lent_bytes += then.lent_bytes;
  first.samples_from_source += then.samples_from_source;
  first.samples_from_keepers += then.samples_from_keepers;
  first.most_samples_held = std::max(first.most_samples_held, then.most_samples_held);
  first.not_lent += then.not_lent;
  first.tree += '\n' + then.tree;
  first.changes.insert(first.changes.end(), then.changes.begin(), then.changes.end());
  return first;
}

} // namespace troupe
