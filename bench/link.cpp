// What the gate before CAF and TLS cost: round trips of small messages and bulk between two processes over loopback,
// plain and with certificates, and beside them what the sockets themselves can do.
//
//   bench_link          all of it; one line of JSON per repetition

#include <array>
#include <caf/event_based_actor.hpp>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <csignal>
#include <filesystem>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <span>
#include <sys/socket.h>
#include <sys/wait.h>

#include "actors/certificates.hpp"
#include "actors/link_address.hpp"
#include "actors/runtime.hpp"
#include "bench/processes.hpp"
#include "messages/caf.hpp"
#include "messages/registry.hpp"

using namespace troupe;
using namespace troupe::bench;

namespace {

constexpr auto limit = std::chrono::seconds{60};
constexpr auto sizes = {size_t{1} << 20, size_t{16} << 20, size_t{64} << 20};
constexpr uint64_t under_way = 4; // messages that nobody has answered yet
constexpr auto none = "-";

link_settings settings_of(const std::string& folder) {
  auto identity = identity_in(folder == none ? std::string{} : folder);
  if (!identity)
    give_up(identity.error().sentence);
  return {.identity = *identity};
}

// -- through CAF ------------------------------------------------------------------------------------------------------

int answer(const std::string& folder) {
  auto rt = runtime{{.network = true, .link = settings_of(folder)}};
  auto echo = rt.system().spawn([](caf::event_based_actor*) -> caf::behavior {
    return {[](const heartbeat& h) { return alive{h.number}; }, [](const parameters&) { return alive{}; }};
  });
  auto port = rt.system().middleman().publish(echo, 0, "127.0.0.1");
  if (!port)
    give_up(to_string(port.error()));
  std::printf("%u\n", static_cast<unsigned>(*port));
  std::fflush(stdout);
  std::getchar(); // until the parent has gone
  std::_Exit(0);
}

void ask(const std::string& what, const std::string& theirs, const std::string& ours) {
  auto other = launch({"bench_link", "answer", theirs});
  auto port = static_cast<uint16_t>(std::stoul(other.line()));
  auto rt = runtime{{.network = true, .link = settings_of(ours)}};
  auto there = caf::actor{};
  auto connect = seconds([&] {
    auto found = rt.system().middleman().remote_actor("127.0.0.1", port);
    if (!found)
      give_up(to_string(found.error()));
    there = *found;
  });
  fmt::print(R"({{"impl":"{}: connect","us":{:.2f}}})"
             "\n",
             what, connect * 1e6);
  auto self = caf::scoped_actor{rt.system()};
  auto me = caf::actor_cast<caf::strong_actor_ptr>(self);
  auto to = caf::actor_cast<caf::strong_actor_ptr>(there);
  auto fail = [](const caf::error& e) { give_up(to_string(e)); };
  measure(what + ": round trip", 2, 8, [&](uint64_t n) {
    return seconds([&] {
      for (uint64_t i = 0; i < n; ++i)
        troupe::request(self, there, limit, heartbeat{i}).receive([](const alive&) {}, fail);
    });
  });
  for (auto bytes : sizes) {
    auto message = parameters{{}, {}, payload::floats(bytes / sizeof(float))};
    std::ranges::fill(message.values.mutable_floats(), 1.0f);
    measure(what + ": bulk", 2, bytes, [&](uint64_t n) {
      return seconds([&] {
        auto sent = uint64_t{0};
        for (uint64_t answered = 0; answered < n; ++answered) {
          for (; sent < n && sent - answered < under_way; ++sent)
            troupe::enqueue_as(me, to, caf::make_message(message));
          self->receive([](const alive&) {}, caf::after(limit) >> [] { give_up("no answer"); });
        }
      });
    });
  }
  other.say("\n");
  ::waitpid(other.pid, nullptr, 0);
}

// -- sockets ----------------------------------------------------------------------------------------------------------

void block(int socket) {
  auto on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ::fcntl(socket, F_SETFL, 0);
}

void read_all(int socket, std::span<char> into) {
  for (size_t at = 0; at < into.size();) {
    auto n = ::recv(socket, into.data() + at, into.size() - at, 0);
    if (n <= 0)
      std::_Exit(0);
    at += static_cast<size_t>(n);
  }
}

void write_all(int socket, std::span<const char> from) {
  for (size_t at = 0; at < from.size();) {
    auto n = ::send(socket, from.data() + at, from.size() - at, MSG_NOSIGNAL);
    if (n <= 0)
      give_up("the other side has gone");
    at += static_cast<size_t>(n);
  }
}

// Each message: its size, then so many bytes; answered by one byte.
int answer_plainly() {
  auto listening = listen_on("127.0.0.1", 0, false);
  std::printf("%u\n", static_cast<unsigned>(port_of(*listening)));
  std::fflush(stdout);
  auto polled = pollfd{*listening, POLLIN, 0};
  ::poll(&polled, 1, -1);
  auto socket = ::accept(*listening, nullptr, nullptr);
  block(socket);
  auto bytes = std::vector<char>(size_t{64} << 20);
  for (;;) {
    auto size = uint64_t{0};
    read_all(socket, {reinterpret_cast<char*>(&size), sizeof(size)});
    read_all(socket, std::span{bytes}.first(size));
    write_all(socket, std::array{'x'});
  }
}

void ask_plainly() {
  auto other = launch({"bench_link", "answer_plainly", none});
  auto socket = *dial("127.0.0.1", static_cast<uint16_t>(std::stoul(other.line())), limit);
  block(socket);
  auto bytes = std::vector<char>(size_t{64} << 20, 'y');
  auto talk = [&](const std::string& what, uint64_t size) {
    measure(what, 2, size, [&](uint64_t n) {
      return seconds([&] {
        auto sent = uint64_t{0};
        for (uint64_t answered = 0; answered < n; ++answered) {
          for (; sent < n && sent - answered < (size > 8 ? under_way : 1); ++sent) {
            write_all(socket, {reinterpret_cast<const char*>(&size), sizeof(size)});
            write_all(socket, std::span{bytes}.first(size));
          }
          auto done = std::array<char, 1>{};
          read_all(socket, done);
        }
      });
    });
  };
  talk("sockets: round trip", 8);
  for (auto size : sizes)
    talk("sockets: bulk", size);
  ::close(socket);
  ::waitpid(other.pid, nullptr, 0);
}

} // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view{argv[1]} == "answer")
    return answer(argv[2]);
  if (argc == 3)
    return answer_plainly();
  auto folder = std::filesystem::temp_directory_path() / fmt::format("bench_link.{}", ::getpid());
  if (auto made = make_certificates({folder, "bench", {"127.0.0.1"}}); !made)
    give_up(made.error().sentence);
  ask_plainly();
  ask("plain", none, none);
  ask("TLS", folder / "127.0.0.1", folder / "leader");
  std::filesystem::remove_all(folder);
}
