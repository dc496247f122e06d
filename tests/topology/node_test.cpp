// Nodes as a leader meets them: the greeting, its refusals, and what becomes of agents whose leader is gone.

#include <arpa/inet.h>
#include <caf/scoped_actor.hpp>
#include <catch2/catch_test_macros.hpp>
#include <netinet/in.h>
#include <optional>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/job.hpp"
#include "actors/loopback.hpp"
#include "supervision/exit_reason.hpp"
#include "tests/topology/hosts.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

caf::actor spawn_idle(caf::actor_system& system) {
  return system.spawn([](caf::event_based_actor*) { return caf::behavior{[](int) {}}; });
}

std::string refusal(uint16_t port, const std::string& job = "job") {
  auto rt = runtime{{.network = true}};
  auto r = connect_node(rt.system(), "127.0.0.1", port, job, 5s);
  return r ? std::string{} : r.error().sentence;
}

// A listening socket, by itself or with somebody who answers nothing.
uint16_t listen_on_any(int& socket) {
  socket = ::socket(AF_INET, SOCK_STREAM, 0);
  auto address = sockaddr_in{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  REQUIRE(::listen(socket, 8) == 0);
  auto size = socklen_t{sizeof(address)};
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

} // namespace

TEST_CASE("a node greets a leader of its version, and so does a worker process") {
  CHECK(refusal(published_node{{}}.port).empty());
  CHECK(refusal(published_host{{}}.port).empty());
}

TEST_CASE("a node of another version refuses, naming both versions") {
  const auto sentences = {refusal(published_node{{.protocol = protocol_version + 1}}.port),
                          refusal(published_host{{.protocol = protocol_version + 1}}.port)};
  for (const auto& sentence : sentences) {
    CHECK(sentence.find("install the same version") != std::string::npos);
    CHECK(sentence.find("protocol " + std::to_string(protocol_version + 1)) != std::string::npos);
  }
}

TEST_CASE("T5: a node whose worker processes do not get ready says so, and keeps no slot for them") {
  auto host = published_node{{.slots = 1, .worker = {.program = "/bin/false"}}};
  auto leader = spawn_idle(host.rt.system());
  auto who = caf::actor_cast<caf::strong_actor_ptr>(leader);
  for (uint32_t i = 0; i < 2; ++i) {
    auto port = open_worker_on(host.rt.system(), host.actor, {"job", {"agent", i}, {1}, who});
    REQUIRE_FALSE(port);
    CHECK(port.error().sentence.find("a worker process ended before it was ready") != std::string::npos);
    CHECK(port.error().sentence.find("ended with exit code 1") != std::string::npos);
  }
  CHECK(refusal(host.port, "another").find("taken by job") != std::string::npos);
  // Its supervisor is gone: the node is free, and whoever greets it meanwhile waits for that.
  troupe::anon_send_exit(leader, caf::exit_reason::user_shutdown);
  auto free = false;
  for (auto until = std::chrono::steady_clock::now() + 10s; !free && std::chrono::steady_clock::now() < until;)
    free = refusal(host.port, "another").empty();
  CHECK(free);
}

TEST_CASE("T5: a node refuses more workers than it has slots, and one that nobody supervises") {
  auto host = published_node{{.slots = 0}};
  auto leader = spawn_idle(host.rt.system());
  auto open = [&](const open_worker& what) {
    return open_worker_on(host.rt.system(), host.actor, what).error().sentence;
  };
  CHECK(open({"job", {"agent", 0}, {1}, caf::actor_cast<caf::strong_actor_ptr>(leader)}).find("slots are taken") !=
        std::string::npos);
  auto idle = published_node{{.slots = 1}};
  CHECK(open_worker_on(idle.rt.system(), idle.actor, {"job", {"agent", 0}, {1}, nullptr}).error().sentence ==
        "its node refuses: nobody supervises agent/0");
  troupe::anon_send_exit(leader, caf::exit_reason::user_shutdown);
}

TEST_CASE("an address where nobody listens is refused with what to start there") {
  int socket = -1;
  auto port = listen_on_any(socket);
  ::close(socket);
  CHECK(refusal(port).find("troupe node --listen") != std::string::npos);
}

TEST_CASE("a program that is no node cannot make a leader wait for ever (R7)") {
  int socket = -1;
  auto port = listen_on_any(socket); // accepts by its backlog, never says a word
  auto rt = runtime{{.network = true}};
  auto r = connect_node(rt.system(), "127.0.0.1", port, "job", 300ms);
  CHECK_FALSE(r);
  ::close(socket);
}

TEST_CASE("a worker process refuses a second job, more agents than slots, and a job that it cannot open") {
  auto host = published_host{{.slots = 1}};
  auto self = caf::scoped_actor{host.rt.system()};
  auto leader = spawn_idle(host.rt.system());
  auto who = caf::actor_cast<caf::strong_actor_ptr>(leader);

  auto bad = small_job();
  bad.samples = 7;
  CHECK(spawn_on(self, host.actor, {bad, {"agent", 0}, {1}, who, {}}).refusal.find("20000") != std::string::npos);
  bad = small_job();
  bad.data = "/nowhere";
  CHECK_FALSE(spawn_on(self, host.actor, {bad, {"agent", 0}, {1}, who, {}}).refusal.empty());
  bad = small_job();
  bad.model = "lenett";
  CHECK(spawn_on(self, host.actor, {bad, {"agent", 0}, {1}, who, {}}).refusal.find("lenet") != std::string::npos);
  bad = small_job();
  bad.shards = 1000;
  CHECK_FALSE(spawn_on(self, host.actor, {bad, {"agent", 0}, {1}, who, {}}).refusal.empty());

  auto first = spawn_on(self, host.actor, {small_job(), {"agent", 0}, {1}, who, {}});
  INFO(first.refusal);
  REQUIRE(first.handle);
  CHECK(refusal(host.port, "another").find("taken by job") != std::string::npos);
  CHECK(spawn_on(self, host.actor, {small_job(), {"agent", 1}, {1}, who, {}}).refusal.find("slots") !=
        std::string::npos);
  // The next incarnation of the same agent takes its slot.
  auto again = spawn_on(self, host.actor, {small_job(), {"agent", 0}, {2}, who, {}});
  CHECK(again.handle);

  // The supervisor is gone: the agent ends (T4), and the node is free for another job.
  auto ended = false;
  self->monitor(again.handle);
  troupe::anon_send_exit(leader, caf::exit_reason::user_shutdown);
  self->receive([&](const caf::down_msg&) { ended = true; }, caf::after(10s) >> [] {});
  CHECK(ended);
  auto other = hello{};
  troupe::request(self, host.actor, 5s, hello{"troupe", protocol_version, "", "another", {}, 0})
    .receive([&](const hello& h) { other = h; }, [](const caf::error&) {});
  CHECK(other.refusal.empty());
  CHECK(other.slots == 1);
  troupe::anon_send_exit(first.handle, caf::exit_reason::kill);
}

TEST_CASE(
  "T3: an agent elsewhere whose state fails tells its supervisor and goes on in place, as the next incarnation") {
  auto host = published_host{{.slots = 1}};
  auto self = caf::scoped_actor{host.rt.system()};
  auto job = small_job();
  auto model = learn::make_model({job.model, {1, 28, 28}, 10, learn::precision::f32});
  REQUIRE(model);
  auto me = caf::actor_cast<caf::strong_actor_ptr>(self);
  // Stands for the leader: supervisor, coordinator and everyone else.
  auto spawned = spawn_on(self, host.actor, {job, {"agent", 0}, {2}, me, {{{"coordinator", 0}, {1}, me}}});
  REQUIRE(spawned.handle);
  auto agent = caf::actor_cast<caf::actor>(spawned.handle);
  auto joined = incarnation{};
  auto failed = std::optional<state_failed>{};
  auto receive_until = [&](auto done) {
    while (!done())
      self->receive([&](const join& j) { joined = j.who.incarnation; }, [&](const state_failed& f) { failed = f; },
                    [&](const micro_batches_done&) {},
                    caf::after(20s) >> [] { FAIL("nothing was heard of the agent"); });
  };
  receive_until([&] { return joined == incarnation{2}; });
  auto holder = origin{{"shard_holder", 0}, {1}, {1}};
  troupe::anon_send(agent, parameters{holder, {0}, payload::floats((*model)->layout().size())});
  troupe::anon_send(agent, evaluate{{1}, {0}, 0, uint64_t{1} << 62}); // more than fits into any memory
  receive_until([&] { return failed.has_value(); });
  CHECK(failed->child == "agent/0");
  CHECK(failed->number == incarnation{2});
  auto cause = cause_of(failed->reason);
  CHECK(cause.kind == exit_kind::exception);
  REQUIRE(cause.chain.size() == 3);
  CHECK(cause.chain[1].find("while it handled") != std::string::npos);
  CHECK(cause.chain[2].find("parameters, evaluate") != std::string::npos);

  troupe::anon_send(agent, replace_state{{3}});
  failed.reset();
  receive_until([&] { return joined == incarnation{3}; });
  CHECK(caf::actor_cast<caf::strong_actor_ptr>(agent) == spawned.handle);
}

TEST_CASE("a node says in one sentence that its port is in use") {
  int socket = -1;
  auto options = node_options{};
  options.port = listen_on_any(socket);
  auto r = run_node(options, {}, {});
  REQUIRE_FALSE(r);
  CHECK(r.error().sentence.find("in use") != std::string::npos);
  ::close(socket);
}

TEST_CASE("what other machines can reach is told from what they cannot, and takes a word of its own") {
  for (auto* here : {"127.0.0.1", "127.9.8.7", "localhost", "::1", "[::1]"})
    CHECK(is_loopback(here));
  for (auto* open : {"0.0.0.0", "::", "192.0.2.1", "", "no such host"})
    CHECK_FALSE(is_loopback(open));
  auto options = node_options{};
  options.host = "0.0.0.0";
  auto r = run_node(options, {}, {});
  REQUIRE_FALSE(r);
  CHECK(r.error().sentence.find("--insecure") != std::string::npos);
  options.insecure = true;
  auto stop = std::stop_source{};
  auto listens = false;
  CHECK(run_node(options, {[&](uint16_t) { listens = stop.request_stop(); }, {}}, stop.get_token()));
  CHECK(listens);
}

TEST_CASE("addresses are written as HOST:PORT") {
  CHECK(parse_address("127.0.0.1:4242"));
  CHECK(parse_address("[::1]:4242")->second == 4242);
  for (auto* bad : {"", "host", ":1", "host:", "host:0", "host:65536", "host:12x", "host:-1"})
    CHECK_FALSE(parse_address(bad));
}
