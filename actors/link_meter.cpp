#include "actors/link_meter.hpp"

#include <algorithm>
#include <caf/scoped_actor.hpp>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <utility>

#include "actors/node_link.hpp"
#include "messages/caf.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;
using nanoseconds = std::chrono::nanoseconds;

constexpr uint32_t warm_up = 10; // round trips that do not count: threads wake, connections open their windows
constexpr uint64_t first_load = uint64_t{1} << 20;
constexpr auto slow = 250ms; // for the first load: the others are no larger then

constexpr uint32_t most_round_trips = 10000;
constexpr uint32_t most_loads = 64;

nanoseconds percentile(const link_samples::times& sorted, double part) {
  if (sorted.empty())
    return {};
  auto rank = static_cast<size_t>(std::ceil(part * static_cast<double>(sorted.size())));
  return sorted[std::max<size_t>(rank, 1) - 1];
}

double speed(link_samples::times loads, uint64_t bytes, nanoseconds round_trip) {
  std::sort(loads.begin(), loads.end());
  auto time = percentile(loads, 0.5);
  auto own = time > round_trip ? time - round_trip : time;
  return own.count() == 0 ? 0 : static_cast<double>(bytes) / std::chrono::duration<double>(own).count();
}

uint64_t count(nanoseconds time) {
  return static_cast<uint64_t>(time.count());
}

// Asks one node, from a thread that may wait.
class meter {
public:
  meter(caf::actor_system& system, node_actor node, const meter_options& how)
    : system_(system), self_(system), node_(std::move(node)), how_(how) {
    // nop
  }

  expected<link_figures> run() {
    auto seen = link_samples{};
    for (uint32_t i = 0; i < warm_up + how_.round_trips; ++i) {
      auto time = ask({}, 0);
      if (!time)
        return tl::unexpected(time.error());
      if (i >= warm_up)
        seen.round_trips.push_back(*time);
    }
    auto first = ask(zeros(std::min(first_load, how_.load_bytes)), 0);
    if (!first)
      return tl::unexpected(first.error());
    seen.load_bytes = *first > slow ? std::min(first_load, how_.load_bytes) : how_.load_bytes;
    auto load = zeros(seen.load_bytes);
    if (auto all = asks(load, 0, seen.loads_to); !all)
      return tl::unexpected(all.error());
    if (auto all = asks({}, seen.load_bytes, seen.loads_from); !all)
      return tl::unexpected(all.error());
    if (auto last = ask({}, 0); !last) // the node lets its load go
      return tl::unexpected(last.error());
    return figures_of(std::move(seen));
  }

private:
  static payload zeros(uint64_t bytes) {
    auto result = payload::make(dtype::u8, {bytes});
    std::memset(result.mutable_data(), 0, bytes);
    return result;
  }

  expected<void> asks(const payload& load, uint64_t answer_bytes, link_samples::times& into) {
    auto until = system_.clock().now() + how_.loads_for;
    for (uint32_t i = 0; i < how_.loads && (i == 0 || system_.clock().now() < until); ++i) {
      auto time = ask(load, answer_bytes);
      if (!time)
        return tl::unexpected(time.error());
      into.push_back(*time);
    }
    return {};
  }

  expected<nanoseconds> ask(const payload& load, uint64_t answer_bytes) {
    auto problem = std::string{};
    auto began = system_.clock().now();
    troupe::request(self_, node_, how_.limit, ping{++number_, load, answer_bytes})
      .receive(
        [&](const pong& p) {
          if (p.load.empty() != (answer_bytes == 0) || (answer_bytes != 0 && p.load.bytes() != answer_bytes))
            problem = "the answer is not the one that was asked for";
        },
        [&](const caf::error& e) { problem = caf::to_string(e); });
    if (!problem.empty())
      return fail(fmt::format("it was reached and then did not answer within {} ms ({})", how_.limit.count(), problem));
    return system_.clock().now() - began;
  }

  caf::actor_system& system_;
  caf::scoped_actor self_;
  node_actor node_;
  meter_options how_;
  uint64_t number_ = 0;
};

} // namespace

expected<void> meter_options::check() const {
  if (round_trips == 0 || round_trips > most_round_trips || loads == 0 || loads > most_loads || load_bytes == 0 ||
      load_bytes > most_ping_bytes)
    return fail(fmt::format("a connection is measured with 1 to {} round trips and 1 to {} loads of at most {} bytes",
                            most_round_trips, most_loads, most_ping_bytes));
  return {};
}

link_figures figures_of(link_samples seen) {
  std::sort(seen.round_trips.begin(), seen.round_trips.end());
  auto median = percentile(seen.round_trips, 0.5);
  return {.shortest_ns = count(percentile(seen.round_trips, 0)),
          .median_ns = count(median),
          .p99_ns = count(percentile(seen.round_trips, 0.99)),
          .bytes_to = speed(std::move(seen.loads_to), seen.load_bytes, median),
          .bytes_from = speed(std::move(seen.loads_from), seen.load_bytes, median)};
}

expected<link_figures> measure(caf::actor_system& system, const node_actor& node, const meter_options& how) {
  if (auto good = how.check(); !good)
    return tl::unexpected(good.error());
  return meter{system, node, how}.run();
}

expected<link_figures> measure(caf::actor_system& system, const std::string& address, const meter_options& how) {
  auto where = parse_address(address);
  if (!where)
    return tl::unexpected(where.error());
  auto node = connect_node(system, where->first, where->second, {});
  if (!node)
    return tl::unexpected(node.error());
  return measure(system, caf::actor_cast<node_actor>(*node), how);
}

} // namespace troupe
