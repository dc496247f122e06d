// Push and pull between processes of this host: agents push gradients to shard holders, which add them up and send the
// sums back, over the payloads and connections of a run, without a model. bench/push_pull.py runs ps-lite beside it.
//
//   bench_push_pull AGENTS HOLDERS BYTES
//
// Each agent has BYTES as blocks of 1 MiB, dealt out to the holders in turn. Prints one JSON object a line; the speed
// counts both directions of all agents.

#include <caf/event_based_actor.hpp>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <map>
#include <memory>
#include <sys/wait.h>

#include "actors/runtime.hpp"
#include "bench/processes.hpp"
#include "gpu/kernels/reduce.hpp"
#include "gpu/stream.hpp"
#include "messages/caf.hpp"
#include "messages/registry.hpp"
#include "messages/shared_memory.hpp"

using namespace troupe;
using namespace troupe::bench;
using namespace std::chrono_literals;

namespace {

constexpr size_t block_floats = size_t{256} * 1024;
constexpr auto limit = 60s;

struct shape {
  uint32_t agents;
  uint32_t holders;
  uint32_t blocks;
};

/// What both sides are: a lane, and where the others are.
class party {
public:
  party(caf::event_based_actor* self, shape s, uint32_t rank)
    : self_(self), shape_(s),
      stream_(gpu::device::host({static_cast<int>(rank), 1}), [](auto) { give_up("a lane has failed"); }) {}

protected:
  bind_role greet(const bind_role& other) {
    others_[other.role] = other;
    if (auto sentence = shared_memory::of_this_process().attach(other.place))
      give_up(*sentence);
    return other;
  }
  void send(const role_id& to, push_gradients p) {
    auto& where = others_.at(to);
    p.gradient = p.gradient.for_reader(where.place.process);
    troupe::anon_send(caf::actor_cast<caf::actor>(where.handle), std::move(p));
  }
  template <class F>
  void afterwards(F f) {
    stream_.on_complete([this, f] { run_in(caf::actor{self_}, f); });
  }

  caf::event_based_actor* self_;
  shape shape_;
  gpu::stream stream_;
  std::map<role_id, bind_role> others_;
};

class holder : party {
public:
  holder(caf::event_based_actor* self, shape s, uint32_t rank) : party(self, s, rank) {}

  caf::behavior make_behavior() {
    return {[this](const bind_role& other) { return greet(other); }, [this](const push_gradients& p) { add(p); }};
  }

private:
  void add(const push_gradients& p) {
    auto& parts = parts_[p.block];
    parts.push_back(p.gradient);
    if (parts.size() < shape_.agents)
      return;
    auto sum = payload::floats_to_lend(parts.front().elements());
    stream_.enqueue([parts = std::exchange(parts, {}), sum]() mutable {
      auto* to = sum.mutable_floats().data();
      if (parts.size() == 1)
        gpu::kernels::copy(sum.elements(), parts[0].as_floats().data(), to);
      else
        gpu::kernels::sum(sum.elements(), parts[0].as_floats().data(), parts[1].as_floats().data(), to);
      for (size_t i = 2; i < parts.size(); ++i)
        gpu::kernels::add(sum.elements(), parts[i].as_floats().data(), to);
    });
    afterwards([this, sum, block = p.block] {
      for (uint32_t a = 0; a < shape_.agents; ++a)
        send({"agent", a}, {.block = block, .gradient = sum});
    });
  }

  std::map<block_id, std::vector<payload>> parts_;
};

class agent : party {
public:
  agent(caf::event_based_actor* self, shape s, uint32_t rank) : party(self, s, rank) {
    gradient_ = payload::floats_to_lend(block_floats * s.blocks);
    sums_ = payload::floats(block_floats * s.blocks);
    std::fill_n(gradient_.mutable_floats().data(), gradient_.elements(), 1.0f);
    std::fill_n(sums_.mutable_floats().data(), sums_.elements(), 0.0f);
  }

  caf::behavior make_behavior() {
    return {[this](const bind_role& other) { return greet(other); },
            [this](const heartbeat& h) { // so many rounds
              left_ = h.number;
              promise_ = self_->make_response_promise();
              push();
              return promise_;
            },
            [this](const push_gradients& p) { take(p); }};
  }

private:
  void push() {
    missing_ = shape_.blocks;
    for (uint32_t b = 0; b < shape_.blocks; ++b)
      send({"shard_holder", b % shape_.holders},
           {.block = {b}, .gradient = gradient_.part(block_floats * b, block_floats)});
  }

  void take(const push_gradients& p) {
    stream_.enqueue([from = p.gradient, to = sums_.part(block_floats * p.block.value, block_floats)]() mutable {
      gpu::kernels::copy(from.elements(), from.as_floats().data(), to.mutable_floats().data());
    });
    if (--missing_ == 0)
      afterwards([this] { ended(); });
  }

  void ended() {
    if (--left_ > 0)
      return push();
    for (auto x : sums_.as_floats())
      if (x != static_cast<float>(shape_.agents))
        give_up("a sum is wrong");
    promise_.deliver(alive{});
  }

  payload gradient_;
  payload sums_;
  uint32_t missing_ = 0;
  uint64_t left_ = 0;
  caf::response_promise promise_;
};

template <class Party>
caf::actor spawn_party(caf::actor_system& system, shape s, uint32_t rank) {
  return system.spawn([=](caf::event_based_actor* self) {
    auto state = std::make_shared<Party>(self, s, rank);
    self->attach_functor([state] {});
    return state->make_behavior();
  });
}

// The holders are processes 0, 1, …; agents connect to them.
int take_part(shape s, uint32_t rank) {
  auto rt = runtime{{.network = true}};
  auto place = shared_memory::of_this_process().place();
  auto self = caf::scoped_actor{rt.system()};
  auto is_holder = rank < s.holders;
  auto role = is_holder ? role_id{"shard_holder", rank} : role_id{"agent", rank - s.holders};
  auto mine = is_holder ? spawn_party<holder>(rt.system(), s, rank) : spawn_party<agent>(rt.system(), s, rank);
  auto here = bind_role{role, {1}, caf::actor_cast<caf::strong_actor_ptr>(mine), {}, leader_rank, place};
  auto whoever_asks = rt.system().spawn([=](caf::event_based_actor*) -> caf::behavior {
    return {[=](const bind_role& other) {
      troupe::anon_send(mine, other);
      return here;
    }};
  });
  auto port = rt.system().middleman().publish(whoever_asks, 0, "127.0.0.1");
  if (!port)
    give_up(to_string(port.error()));
  std::printf("%u\n", static_cast<unsigned>(*port));
  std::fflush(stdout);
  for (uint32_t other = 0; other < s.holders + s.agents; ++other) {
    unsigned at = 0;
    if (std::scanf("%u", &at) != 1)
      give_up("no ports");
    if (is_holder || other >= s.holders)
      continue;
    auto there = rt.system().middleman().remote_actor("127.0.0.1", static_cast<uint16_t>(at));
    if (!there)
      give_up(to_string(there.error()));
    auto fail = [](const caf::error& e) { give_up(to_string(e)); };
    troupe::request(self, *there, limit, here)
      .receive(
        [&](const bind_role& b) { troupe::request(self, mine, limit, b).receive([](const bind_role&) {}, fail); },
        fail);
  }
  std::printf("ready\n");
  std::fflush(stdout);
  for (unsigned long n = 0; std::scanf("%lu", &n) == 1 && n > 0;) {
    if (!is_holder)
      troupe::request(self, mine, limit, heartbeat{n})
        .receive([](const alive&) {}, [](const caf::error& e) { give_up(to_string(e)); });
    std::printf("done\n");
    std::fflush(stdout);
  }
  std::fflush(nullptr);
  std::_Exit(0);
}

} // namespace

int main(int argc, char** argv) {
  auto number = [&](int i) { return i < argc ? std::strtoull(argv[i], nullptr, 10) : 0; };
  auto bytes = static_cast<size_t>(number(3));
  auto s = shape{static_cast<uint32_t>(number(1)), static_cast<uint32_t>(number(2)),
                 static_cast<uint32_t>(bytes / sizeof(float) / block_floats)};
  if (s.agents == 0 || s.holders == 0 || s.blocks == 0)
    give_up("call it with the number of agents, of shard holders and of bytes, at least 1 MiB");
  if (argc == 5)
    return take_part(s, static_cast<uint32_t>(number(4)));
  auto all = std::vector<child>{};
  for (uint32_t rank = 0; rank < s.holders + s.agents; ++rank)
    all.push_back(launch({"bench_push_pull", argv[1], argv[2], argv[3], std::to_string(rank)}));
  auto ports = std::string{};
  for (auto& c : all)
    ports += c.line();
  for (auto& c : all)
    c.say(ports);
  for (auto& c : all)
    c.line();
  auto counted = size_t{2} * s.agents * s.blocks * block_floats * sizeof(float);
  measure("troupe", s.agents + s.holders, counted, [&](uint64_t n) {
    return seconds([&] {
      for (auto& c : all)
        c.say(fmt::format("{}\n", n));
      for (auto& c : all)
        c.line();
    });
  });
  for (auto& c : all)
    c.say("0\n");
  for (auto& c : all)
    ::waitpid(c.pid, nullptr, 0);
}
