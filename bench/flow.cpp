// A flow to a process that stands still: what its sender's memory grows to, and what is lost. The receiver is stopped
// by SIGSTOP after 100 items and goes on after a while; a connection that is given up meanwhile is made anew.
//
//   bench_flow [ITEMS [MB [SECONDS]]]      1,000 items of 25 MB, 10 s; one line of JSON

#include <algorithm>
#include <atomic>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <csignal>
#include <cstring>
#include <fstream>
#include <mutex>
#include <optional>
#include <sys/wait.h>
#include <thread>

#include "actors/flow.hpp"
#include "actors/runtime.hpp"
#include "bench/processes.hpp"
#include "messages/caf.hpp"
#include "messages/registry.hpp"

using namespace troupe;
using namespace troupe::bench;

namespace {

constexpr uint64_t items_of_window = 4;

// Current and highest resident memory of this process, in MiB.
double resident(const std::string& what) {
  auto status = std::ifstream{"/proc/self/status"};
  for (auto line = std::string{}; std::getline(status, line);)
    if (line.starts_with(what))
      return std::stod(line.substr(what.size())) / 1024;
  return 0;
}

std::byte mark_of(uint64_t number) {
  return static_cast<std::byte>(number * 31 % 251);
}

void say(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

// Says how many items have come as they were sent once the flow has ended.
int receive(uint64_t window) {
  auto rt = runtime{{.network = true}};
  auto sink = rt.system().spawn([window](caf::event_based_actor* self) -> caf::behavior {
    auto in = std::make_shared<flow_inlet>(self, window);
    auto good = std::make_shared<uint64_t>(0);
    return {
      [in](const flow_open& o) { in->on(o); },
      [in, good, self](const flow_item& i) {
        in->on(i);
        for (auto number = in->taken(); auto next = in->take(); ++number) {
          auto first = next->data();
          auto last = next->data() + next->bytes() - 1;
          *good += *first == mark_of(number) && *last == mark_of(number) ? 1 : 0;
          if (number == 100)
            say("there");
        }
        if (in->ended()) {
          say(fmt::format("{} {:.0f}", *good, resident("VmHWM:")));
          self->quit();
        }
      },
    };
  });
  auto port = rt.system().middleman().publish(sink, 0, "127.0.0.1");
  if (!port)
    give_up(to_string(port.error()));
  say(std::to_string(*port));
  sink = nullptr;
  std::getchar(); // until the sender has ended
  std::_Exit(0);
}

} // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view{argv[1]} == "receive")
    return receive(std::stoull(argv[2]));
  const auto count = argc > 1 ? std::stoull(argv[1]) : 1000;
  const auto bytes = (argc > 2 ? std::stoull(argv[2]) : 25) * 1'000'000;
  const auto stands = std::chrono::seconds{argc > 3 ? std::stoll(argv[3]) : 10};
  const auto window = items_of_window * bytes;
  auto other = launch({"bench_flow", "receive", std::to_string(window)});
  const auto port = static_cast<uint16_t>(std::stoul(other.line()));

  auto rt = runtime{{.network = true}};
  auto produced = std::make_shared<std::atomic<uint64_t>>(0);
  auto receiver = std::make_shared<caf::strong_actor_ptr>();
  auto mutex = std::make_shared<std::mutex>();
  auto connect = [&] {
    auto found = rt.system().middleman().remote_actor("127.0.0.1", port);
    auto guard = std::lock_guard{*mutex};
    if (found)
      *receiver = caf::actor_cast<caf::strong_actor_ptr>(*found);
    return found.operator bool();
  };
  if (!connect())
    give_up("the receiver is not there");
  const auto before = resident("VmRSS:");
  auto config = flow_outlet::config{};
  config.to = [receiver, mutex] {
    auto guard = std::lock_guard{*mutex};
    return *receiver;
  };
  config.produce = [=](uint64_t number) -> std::optional<payload> {
    if (number == count)
      return std::nullopt;
    *produced = std::max(produced->load(), number + 1);
    auto item = payload::make(dtype::u8, {bytes});
    std::memset(item.mutable_data(), static_cast<int>(mark_of(number)), bytes);
    return item;
  };
  const auto begin = std::chrono::steady_clock::now();
  auto outlet = rt.system().spawn<flow_outlet>(std::move(config));
  other.line(); // 100 have come
  ::kill(other.pid, SIGSTOP);
  std::this_thread::sleep_for(stands);
  const auto at_rest = produced->load();
  const auto standing = resident("VmRSS:");
  ::kill(other.pid, SIGCONT);
  auto self = caf::scoped_actor{rt.system()};
  auto over = std::atomic<bool>{false};
  auto watch = std::thread{[&] { // a connection that was given up
    while (!over) {
      auto gone = [&] {
        auto guard = std::lock_guard{*mutex};
        return has_ended(*receiver);
      };
      if (gone())
        connect();
      std::this_thread::sleep_for(std::chrono::milliseconds{100});
    }
  }};
  self->wait_for(outlet);
  over = true;
  watch.join();
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const auto said = other.line();
  fmt::print(R"({{"items":{},"mb":{},"window_mb":{},"stopped_s":{},"produced_while_it_stood":{},"arrived_as_sent":{},)"
             R"("rss_before_mib":{:.0f},"rss_standing_mib":{:.0f},"rss_highest_mib":{:.0f},"receiver_highest_mib":{},)"
             R"("seconds":{:.1f},"gb_per_s":{:.2f}}})"
             "\n",
             count, bytes / 1'000'000, window / 1'000'000, stands.count(), at_rest, std::stoull(said), before, standing,
             resident("VmHWM:"), std::stoull(said.substr(said.find(' '))), seconds,
             static_cast<double>(count * bytes) / (seconds - static_cast<double>(stands.count())) / 1e9);
  other.say("\n");
  ::waitpid(other.pid, nullptr, 0);
  return std::stoull(said) == count ? 0 : 1;
}
