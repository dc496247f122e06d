// Frames of CAF's protocol that are damaged in every way, from somebody who is through the greeting. TROUPE_FRAMES says
// how many (200,000).

#include <algorithm>
#include <caf/binary_serializer.hpp>
#include <caf/io/basp/header.hpp>
#include <caf/io/middleman.hpp>
#include <caf/node_id.hpp>
#include <caf/scoped_actor.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>

#include "actors/link_policy.hpp"
#include "actors/node_link.hpp"
#include "actors/runtime.hpp"
#include "messages/caf.hpp"
#include "messages/registry.hpp"
#include "tests/support/dice.hpp"
#include "tests/topology/strangers.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

namespace basp = caf::io::basp;
using bytes = std::vector<std::byte>;

// A frame as CAF writes it: the header has the size of what follows.
template <class... Ts>
bytes frame(basp::message_type what, uint64_t operation_data, uint64_t to, const Ts&... xs) {
  auto body = caf::byte_buffer{};
  auto sink = caf::binary_serializer{nullptr, body};
  REQUIRE((sink.apply(xs) && ...));
  auto head = caf::byte_buffer{};
  auto header_sink = caf::binary_serializer{nullptr, head};
  auto size = static_cast<uint32_t>(body.size());
  REQUIRE(header_sink.apply(basp::header{what, 0, size, operation_data, 5, to}));
  auto result = bytes(head.size() + body.size());
  std::memcpy(result.data(), head.data(), head.size());
  if (!body.empty())
    std::memcpy(result.data() + head.size(), body.data(), body.size());
  return result;
}

bytes record(link_record::kind what, const bytes& body, uint64_t frame_number = 0, uint64_t number = 0) {
  auto header = link_record{what, body.size(), frame_number, number}.encoded();
  auto result = bytes(header.size() + body.size());
  std::ranges::copy(header, result.begin());
  std::ranges::copy(body, result.begin() + header.size());
  return result;
}

// What somebody with the identity `me` says to the actor `to`, before it is damaged.
struct speech {
  caf::node_id me;
  caf::node_id target;
  uint64_t to;
  uint64_t frames = 1; // so far, on this connection

  [[nodiscard]] bytes greeting() const { return frame(basp::message_type::client_handshake, 0, 0, me); }

  bytes next(testing::dice& dice) {
    using kind = basp::message_type;
    const auto stack = std::vector<caf::strong_actor_ptr>{};
    const auto request = (uint64_t{1} << 63) | dice.below(1000); // asks for an answer
    ++frames;
    switch (dice.below(8)) {
    case 0:
      return frame(kind::direct_message, request, to, stack, caf::make_message(hello{}));
    case 1:
      return frame(kind::direct_message, 0, to, stack,
                   caf::make_message(parameters{{}, {}, payload::floats(dice.below(200))}));
    case 2:
      return frame(kind::direct_message, 0, to, stack,
                   caf::make_message(view_changed{{1}, {2}, {{{"agent", 1}, {2}}}}));
    case 3:
      return frame(kind::routed_message, request, to, me, target, stack, caf::make_message(hello{}));
    case 4:
      return frame(kind::monitor_message, 0, to, me, target);
    case 5:
      return frame(kind::down_message, 0, 0, me, target, caf::make_error(caf::sec::runtime_error));
    case 6:
      return frame(kind::heartbeat, 0, 0);
    default:
      return frame(kind::direct_message, request, to, stack,
                   caf::make_message(need_samples{{"agent", 1}, {2}, {3}, 4, false, {5, 6, 7}}));
    }
  }
};

// Bytes of it are changed, or it is cut or longer than it says; mostly behind the header, so that somebody reads it.
void damage(bytes& whole, testing::dice& dice) {
  for (auto n = dice.below(4); n > 0; --n) {
    auto first = dice.chance(0.9) && whole.size() > basp::header_size ? basp::header_size : size_t{0};
    whole[first + dice.below(whole.size() - first)] = static_cast<std::byte>(dice.below(256));
  }
  if (dice.chance(0.01))
    whole.resize(dice.below(2 * whole.size()));
}

double resident_mib() {
  auto status = std::ifstream{"/proc/self/status"};
  for (auto line = std::string{}; std::getline(status, line);)
    if (line.starts_with("VmRSS:"))
      return std::stod(line.substr(6)) / 1024;
  return 0;
}

// Sends all of it, and reads what comes meanwhile; false: the connection was closed.
bool say(int socket, const bytes& what) {
  char answer[4096];
  for (size_t at = 0; at < what.size();) {
    auto polled = pollfd{socket, POLLIN | POLLOUT, 0};
    ::poll(&polled, 1, 10000);
    if ((polled.revents & POLLIN) != 0 && ::recv(socket, answer, sizeof(answer), MSG_DONTWAIT) == 0)
      return false;
    if ((polled.revents & POLLOUT) == 0 && (polled.revents & POLLIN) == 0)
      return false;
    auto sent = ::send(socket, what.data() + at, what.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN)
      return false;
    at += static_cast<size_t>(std::max<ssize_t>(sent, 0));
  }
  return true;
}

} // namespace

TEST_CASE("I15: damaged frames of somebody who was let in crash nothing, take no memory, and others are answered") {
  const auto* wanted = std::getenv("TROUPE_FRAMES");
  const auto count = wanted != nullptr ? std::stoull(wanted) : 200'000;
  auto settings = link_settings{};
  settings.limits.frame_bytes = 1 << 20;
  settings.on_line = [](const std::string&) {};
  auto rt = runtime{{.network = true, .link = settings}};
  auto actor = rt.system().spawn([](caf::event_based_actor* self) -> caf::behavior {
    on_exit_message(self, [](caf::exit_msg&) {}); // a frame may say so
    on_unmatched_message(self, [](caf::scheduled_actor*, caf::message&) { return caf::skippable_result{}; });
    return {[](const hello& h) { return h; }, [](const parameters&) {}, [](const view_changed&) {},
            [](const need_samples&) {}};
  });
  auto port = rt.system().middleman().publish(actor, 0, "127.0.0.1");
  REQUIRE(port);

  auto dice = testing::dice{20261122};
  auto sent = uint64_t{0};
  auto connections = uint64_t{0};
  auto before = 0.0;
  while (sent < count) {
    auto through = greet(*port, {});
    REQUIRE(through);
    ++connections;
    auto said =
      speech{caf::make_node_id(static_cast<uint32_t>(1000 + connections % 100), caf::hashed_node_id::host_id_type{}),
             rt.system().node(), actor.id()};
    auto open = say(through->socket(), record(link_record::kind::messages, said.greeting()));
    while (open && sent < count) {
      auto next = said.next(dice);
      damage(next, dice);
      if (dice.chance(0.05))
        open = say(through->socket(),
                   record(link_record::kind::segment, bytes(dice.below(2000)), said.frames, dice.below(3)));
      open = open && say(through->socket(), record(link_record::kind::messages, next));
      ++sent;
    }
    ::close(through->socket());
    if (sent >= count / 10 && before == 0)
      before = resident_mib();
  }
  auto grown = resident_mib() - before;
  WARN(sent << " frames over " << connections << " connections; resident memory grew by " << grown << " MiB");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // these keep freed memory, and shadows of it
  CHECK(grown < 64);
#endif
  auto other = runtime{{.network = true}};
  auto found = other.system().middleman().remote_actor("127.0.0.1", *port);
  REQUIRE(found);
  auto self = caf::scoped_actor{other.system()};
  troupe::request(self, *found, 20s, hello{})
    .receive([](const hello& h) { CHECK(h.magic == "troupe"); }, [](const caf::error& e) { FAIL(to_string(e)); });
  troupe::anon_send_exit(actor, caf::exit_reason::kill);
}
