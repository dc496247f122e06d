// Connections measured: to a node, and from a node to another one.

#include <catch2/matchers/catch_matchers_string.hpp>

#include "actors/link_meter.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/topology/hosts.hpp"
#include "tests/topology/strangers.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr auto few = meter_options{.round_trips = 5, .loads = 2, .load_bytes = 1 << 20};

std::string address(uint16_t port) {
  return "127.0.0.1:" + std::to_string(port);
}

bool is_whole(const link_figures& f) {
  return f.shortest_ns > 0 && f.shortest_ns <= f.median_ns && f.median_ns <= f.p99_ns && f.bytes_to > 0 &&
         f.bytes_from > 0;
}

link_measured measured_by(runtime& rt, const published_node& node, const measure_link& what) {
  auto there = connect_node(rt.system(), "127.0.0.1", node.port, {});
  REQUIRE(there);
  auto self = caf::scoped_actor{rt.system()};
  auto result = link_measured{};
  troupe::request(self, *there, 30s, what)
    .receive([&](const link_measured& m) { result = m; },
             [&](const caf::error& e) { result.refusal = caf::to_string(e); });
  return result;
}

} // namespace

TEST_CASE("a connection to a node is measured, with certificates too, and also while the node has a job") {
  auto node = published_node{{.slots = 1, .worker = {.program = "/bin/false"}}};
  auto leader = node.rt.system().spawn([](caf::event_based_actor*) { return caf::behavior{[](int) {}}; });
  CHECK_FALSE(open_worker_on(node.rt.system(), node.actor,
                             {"job", {"agent", 0}, {1}, caf::actor_cast<caf::strong_actor_ptr>(leader)}));
  auto rt = runtime{{.network = true}};
  CHECK_FALSE(connect_node(rt.system(), "127.0.0.1", node.port, "another"));
  auto found = measure(rt.system(), address(node.port), few);
  REQUIRE(found);
  CHECK(is_whole(*found));
  troupe::anon_send_exit(leader, caf::exit_reason::user_shutdown);

  const temporary_folder folder;
  make_certs(folder.path() / "job", "digits", {"127.0.0.1"});
  auto guarded = published_node{{}, with_certs(folder.path() / "job/127.0.0.1")};
  auto known = runtime{{.network = true, .link = with_certs(folder.path() / "job/leader")}};
  found = measure(known.system(), address(guarded.port), few);
  REQUIRE(found);
  CHECK(is_whole(*found));
  CHECK_FALSE(measure(rt.system(), address(guarded.port), few));
}

TEST_CASE("a node measures its connection to another one, and says in a sentence why it cannot") {
  auto one = published_node{{}};
  auto other = published_node{{}};
  auto rt = runtime{{.network = true}};
  CHECK(is_whole(measured_by(rt, one, {address(other.port), 5, 2, 1 << 20}).figures));
  CHECK_THAT(measured_by(rt, one, {address(1), 5, 2, 1 << 20}).refusal, ContainsSubstring("no troupe node answers"));
  CHECK_THAT(measured_by(rt, one, {address(one.port), 5, 2, 1 << 20}).refusal,
             ContainsSubstring("this process itself"));
  CHECK_THAT(measured_by(rt, one, {address(other.port), 5, 65, 1 << 20}).refusal, ContainsSubstring("1 to 64 loads"));
  CHECK(is_whole(measured_by(rt, one, {address(other.port), 5, 2, 1 << 20}).figures)); // it is free again
}

TEST_CASE("what a node sends in a pong is bounded, and holds nothing of its memory") {
  auto node = published_node{{}};
  auto rt = runtime{{.network = true}};
  auto there = connect_node(rt.system(), "127.0.0.1", node.port, {});
  REQUIRE(there);
  auto self = caf::scoped_actor{rt.system()};
  troupe::request(self, *there, 30s, ping{7, {}, UINT64_MAX})
    .receive(
      [&](const pong& p) {
        CHECK(p.number == 7);
        REQUIRE(p.load.bytes() == most_ping_bytes);
        CHECK(std::all_of(p.load.data(), p.load.data() + p.load.bytes(), [](std::byte b) { return b == std::byte{}; }));
      },
      [](const caf::error& e) { FAIL(caf::to_string(e)); });
}
