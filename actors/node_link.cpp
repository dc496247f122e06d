#include "actors/node_link.hpp"

#include <algorithm>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/sec.hpp>
#include <charconv>
#include <fmt/format.h>
#include <set>

#include "actors/tcp_probe.hpp"
#include "actors/version.hpp"
#include "messages/caf.hpp"

namespace troupe {
namespace {

// Longer than any round trip, and a lost packet or two.
constexpr auto reach_limit = std::chrono::seconds{4};

// What a `link_session` or the system says, without CAF's words around it.
std::string words_of(const caf::error& e) {
  if (e && e.context().match_elements<std::string>())
    return e.context().get_as<std::string>(0);
  return caf::to_string(e);
}

} // namespace

expected<std::pair<std::string, uint16_t>> parse_address(const std::string& text) {
  auto colon = text.rfind(':');
  auto port = uint16_t{};
  if (colon != std::string::npos && colon > 0) {
    auto [end, error] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
    if (error == std::errc{} && end == text.data() + text.size() && port != 0)
      return std::pair{text.substr(0, colon), port};
  }
  return fail(fmt::format("\"{}\" is no node address: write it as HOST:PORT, for example 127.0.0.1:4242", text));
}

expected<caf::actor> reach(caf::actor_system& system, const std::string& host, uint16_t port, const std::string& is,
                           std::chrono::milliseconds limit) {
  auto self = caf::scoped_actor{system};
  auto where = fmt::format("{}:{}", host, port);
  auto handle = caf::strong_actor_ptr{};
  auto problem = probe_tcp(host, port, std::min<std::chrono::milliseconds>(limit, reach_limit)).value_or("");
  auto nobody = [&] {
    return fail(fmt::format("no troupe {} answers at {} ({}): start one there with `troupe {} --listen {}`", is, where,
                            problem, is, where));
  };
  if (!problem.empty())
    return nobody();
  auto greeted = true;
  troupe::request(self, system.middleman().actor_handle(), limit, caf::connect_atom_v, host, port)
    .receive([&](const caf::node_id&, const caf::strong_actor_ptr& ptr, const std::set<std::string>&) { handle = ptr; },
             [&](const caf::error& e) {
               problem = words_of(e);
               greeted = e != caf::sec::disconnect_during_handshake;
             });
  if (!greeted)
    return fail(fmt::format("{} is reached, but {}", where, problem));
  if (!problem.empty())
    return nobody();
  if (!handle)
    return fail(fmt::format("{} answers but hosts no agents: is another program listening there?", where));
  return caf::actor_cast<caf::actor>(handle);
}

expected<caf::actor> connect_node(caf::actor_system& system, const std::string& host, uint16_t port,
                                  const std::string& job_id, std::chrono::milliseconds limit) {
  auto handle = reach(system, host, port, "node", limit);
  if (!handle)
    return handle;
  auto self = caf::scoped_actor{system};
  auto where = fmt::format("{}:{}", host, port);
  auto problem = std::string{};
  auto answer = hello{};
  troupe::request(self, *handle, limit, hello{"troupe", protocol_version, troupe_version, job_id, {}, 0})
    .receive([&](const hello& h) { answer = h; }, [&](const caf::error& e) { problem = caf::to_string(e); });
  if (!problem.empty())
    return fail(fmt::format("the node at {} does not answer the greeting ({}): is it troupe {}?", where, problem,
                            troupe_version));
  if (!answer.refusal.empty())
    return fail(fmt::format("the node at {} refuses: {}", where, answer.refusal));
  return handle;
}

expected<uint16_t> open_worker_on(caf::actor_system& system, const node_actor& where, const open_worker& what,
                                  std::chrono::milliseconds limit) {
  auto self = caf::scoped_actor{system};
  auto answer = worker_opened{};
  troupe::request(self, where, limit, what)
    .receive([&](const worker_opened& w) { answer = w; },
             [&](const caf::error& e) {
               answer.refusal = fmt::format("no worker process for {}: {}", to_string(what.role), caf::to_string(e));
             });
  if (!answer.refusal.empty())
    return fail(fmt::format("its node refuses: {}", answer.refusal));
  return answer.port;
}

} // namespace troupe
