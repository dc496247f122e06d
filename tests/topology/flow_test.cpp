// Flows of payloads between two processes' actor systems: what bounds them, and what a lost connection costs.

#include "actors/flow.hpp"

#include <atomic>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstring>

#include "actors/runtime.hpp"
#include "messages/caf.hpp"
#include "messages/registry.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

constexpr uint64_t item_bytes = 64 << 10;

std::optional<payload> numbered(uint64_t number, uint64_t count) {
  if (number == count)
    return std::nullopt;
  auto result = payload::make(dtype::u8, {item_bytes});
  std::memset(result.mutable_data(), static_cast<int>(number % 251), item_bytes);
  return result;
}

// Takes as many items as it is told to, by `heartbeat`; answers how many it has taken when that many have come, or all.
struct sink {
  struct order {
    uint64_t until;
    caf::typed_response_promise<alive> answer;
  };
  std::optional<flow_inlet> in;
  std::optional<order> due;
  bool as_sent = true;

  void take() {
    while (due && in->taken() < due->until) {
      auto number = in->taken();
      auto next = in->take();
      if (!next)
        break;
      as_sent = as_sent && *next->data() == static_cast<std::byte>(number % 251);
    }
    if (due && (in->taken() >= due->until || in->ended())) {
      due->answer.deliver(alive{as_sent ? in->taken() : 0});
      due.reset();
    }
  }
};

caf::actor start_sink(runtime& rt, uint64_t window) {
  return rt.system().spawn([window](caf::stateful_actor<sink>* self) -> caf::behavior {
    auto& s = troupe::state(self);
    s.in.emplace(self, window);
    return {
      [&s](const flow_open& o) { s.in->on(o); },
      [&s](const flow_item& i) {
        s.in->on(i);
        s.take();
      },
      [&s, self](const heartbeat& h) -> caf::result<alive> {
        s.due.emplace(sink::order{h.number, self->make_response_promise<alive>()});
        auto answer = s.due->answer;
        s.take();
        return answer;
      },
    };
  });
}

uint64_t taken(runtime& rt, const caf::actor& sink, uint64_t until) {
  auto self = caf::scoped_actor{rt.system()};
  auto result = uint64_t{0};
  troupe::request(self, sink, 20s, heartbeat{until})
    .receive([&](const alive& a) { result = a.number; }, [](const caf::error& e) { FAIL(to_string(e)); });
  return result;
}

} // namespace

TEST_CASE("R13: a receiver that takes nothing bounds what is produced for it, over a connection; later it has all") {
  constexpr uint64_t count = 200;
  constexpr uint64_t window = 8 * item_bytes;
  auto there = runtime{{.network = true}};
  auto here = runtime{{.network = true}};
  auto target = start_sink(there, window);
  auto port = there.system().middleman().publish(target, 0, "127.0.0.1");
  REQUIRE(port);
  auto near = here.system().middleman().remote_actor("127.0.0.1", *port);
  REQUIRE(near);
  auto produced = std::make_shared<std::atomic<uint64_t>>(0);
  auto config = flow_outlet::config{};
  config.to = [to = caf::actor_cast<caf::strong_actor_ptr>(*near)] { return to; };
  config.produce = [produced](uint64_t number) {
    *produced = std::max(produced->load(), number + 1);
    return numbered(number, count);
  };
  config.pace = 50ms;
  auto outlet = here.system().spawn<flow_outlet>(std::move(config));
  CHECK(taken(there, target, 16) == 16);
  CHECK(*produced <= 16 + 8 + 1); // the one that waits for credit
  CHECK(taken(there, target, count + 1) == count + 1);
  auto self = caf::scoped_actor{here.system()};
  self->wait_for(outlet);
  troupe::anon_send_exit(target, caf::exit_reason::kill);
}

TEST_CASE("a flow survives a receiver that cannot be reached for a while") {
  constexpr uint64_t count = 100;
  auto there = runtime{{.network = true}};
  auto target = start_sink(there, 4 * item_bytes);
  auto port = there.system().middleman().publish(target, 0, "127.0.0.1");
  REQUIRE(port);
  auto here = std::make_unique<runtime>(runtime_options{.network = true});
  auto reach = std::make_shared<std::atomic<bool>>(false);
  auto near = here->system().middleman().remote_actor("127.0.0.1", *port);
  REQUIRE(near);
  auto start = [&](runtime& from, const caf::actor& to) {
    auto config = flow_outlet::config{};
    config.to = [reach, to = caf::actor_cast<caf::strong_actor_ptr>(to)] { return *reach ? to : nullptr; };
    config.produce = [](uint64_t number) { return numbered(number, count); };
    config.pace = 5ms;
    return from.system().spawn<flow_outlet>(std::move(config));
  };
  auto first = start(*here, *near);
  *reach = true;
  CHECK(taken(there, target, 10) == 10);
  troupe::anon_send_exit(first, caf::exit_reason::kill);
  here.reset(); // the sender's process ends with items under way
  auto other = runtime{{.network = true}};
  auto again = other.system().middleman().remote_actor("127.0.0.1", *port);
  REQUIRE(again);
  start(other, *again);
  CHECK(taken(there, target, count + 1) == count + 1);
  troupe::anon_send_exit(target, caf::exit_reason::kill);
}
