#include "actors/ping_nodes.hpp"

#include <caf/scoped_actor.hpp>
#include <chrono>
#include <fmt/format.h>

#include "actors/node_link.hpp"
#include "actors/runtime.hpp"
#include "messages/caf.hpp"

namespace troupe {
namespace {

// The node has limits of its own: this one is for a node that is gone.
constexpr auto measuring_limit = std::chrono::seconds{120};

struct reached {
  std::string address;
  node_actor node;
};

expected<link_figures> measure_from(caf::actor_system& system, const reached& from, const std::string& to,
                                    const meter_options& how) {
  auto self = caf::scoped_actor{system};
  auto answer = link_measured{};
  troupe::request(self, from.node, measuring_limit, measure_link{to, how.round_trips, how.loads, how.load_bytes})
    .receive([&](const link_measured& m) { answer = m; },
             [&](const caf::error& e) {
               answer.refusal = fmt::format("it did not say what it measured ({})", caf::to_string(e));
             });
  if (!answer.refusal.empty())
    return fail(fmt::format("from {} to {}: {}", from.address, to, answer.refusal));
  return answer.figures;
}

} // namespace

expected<void> ping_nodes(const ping_options& options, const std::function<void(const pinged&)>& on_one) {
  if (options.nodes.empty())
    return fail("there is no node to measure a connection to: name HOST:PORT of one or several");
  for (auto& each : options.nodes)
    if (auto address = parse_address(each); !address)
      return tl::unexpected(address.error());
  auto identity = identity_in(options.certs);
  if (!identity)
    return tl::unexpected(identity.error());
  auto rt = runtime{{.network = true, .link = {.identity = *identity}}};
  auto& system = rt.system();
  auto there = std::vector<reached>{};
  for (auto& each : options.nodes) {
    auto [host, port] = *parse_address(each);
    auto found = connect_node(system, host, port, {}).and_then([&](const caf::actor& handle) {
      there.push_back({each, caf::actor_cast<node_actor>(handle)});
      return measure(system, there.back().node, options.how).map_error([&](const failure& why) {
        there.pop_back();
        return failure{fmt::format("{}: {}", each, why.sentence)};
      });
    });
    on_one({{}, each, std::move(found)});
  }
  for (size_t i = 0; options.between && i < there.size(); ++i)
    for (size_t k = i + 1; k < there.size(); ++k)
      on_one({there[i].address, there[k].address, measure_from(system, there[i], there[k].address, options.how)});
  return {};
}

} // namespace troupe
