// All-reduce between processes of this host: the ring peers' core, sums, messages and connections, without a model.
// Prints one JSON object a line; bench/all_reduce.py makes the table and runs the peers beside it.
//
//   bench_all_reduce processes PEERS BYTES [SCHEDULE]
//   bench_all_reduce inline PEERS BYTES [SCHEDULE]    the same through connections alone
//   bench_all_reduce threads PEERS BYTES [SCHEDULE]   the peers in one process
//   bench_all_reduce limit PEERS BYTES                the ring's sums and copies alone, in as many threads: what memory
//   allows
//
// SCHEDULE is ring, doubling, halving or pairwise; without it each bucket has its usual one, as in a run.
// A step is what a ring does with a gradient that is there as blocks of 1 MiB: each process has the whole sum at the
// end of it. Time per step over many of them, algorithm bandwidth = BYTES / time.

#include <algorithm>
#include <barrier>
#include <caf/event_based_actor.hpp>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "actors/ring_sums.hpp"
#include "actors/runtime.hpp"
#include "bench/processes.hpp"
#include "gpu/kernels/reduce.hpp"
#include "messages/caf.hpp"
#include "messages/registry.hpp"
#include "messages/shared_memory.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using namespace troupe::bench;

namespace {

constexpr size_t block_floats = size_t{256} * 1024;
constexpr auto limit = 60s;

const std::map<std::string, all_reduce_schedule> schedules{{"ring", all_reduce_schedule::ring},
                                                           {"doubling", all_reduce_schedule::doubling},
                                                           {"halving", all_reduce_schedule::halving},
                                                           {"pairwise", all_reduce_schedule::pairwise}};

/// What is measured.
struct task {
  uint32_t peers = 0;
  size_t bytes = 0;
  std::string schedule = "usual";

  [[nodiscard]] std::optional<all_reduce_schedule> forced() const {
    auto known = schedules.find(schedule);
    return known != schedules.end() ? std::optional{known->second} : std::nullopt;
  }
};

member peer(uint32_t rank) {
  return {{"ring_peer", rank}, {1}};
}

std::vector<ring_bucket> buckets_of(size_t floats) {
  auto result = std::vector<ring_bucket>{};
  for (uint32_t b = 0; floats > 0; ++b) {
    auto size = std::min(floats, block_floats);
    result.push_back({{{b}}, size});
    floats -= size;
  }
  return result;
}

/// A ring peer whose agent, broker and coordinator always have said already what it waits for.
class reducer {
public:
  using self_pointer = caf::event_based_actor*;

  reducer(self_pointer self, uint32_t rank, const task& what)
    : self_(self), rank_(rank), peers_(what.peers),
      core_(peer(rank), buckets_of(what.bytes / sizeof(float)), {.schedule = what.forced()}), sums_(core_.buckets()),
      stream_(gpu::device::host({static_cast<int>(rank), 1}), [](auto) { give_up("a lane has failed"); }) {
    for (auto& b : core_.buckets()) {
      auto values = payload::floats_to_lend(b.size);
      std::fill_n(values.mutable_floats().data(), b.size, 1.0f);
      gradient_.push_back(values);
    }
  }

  caf::behavior make_behavior() {
    return {[this](const bind_role& other) {
              others_[other.role.index] = other;
              if (auto sentence = shared_memory::of_this_process().attach(other.place))
                fmt::print(stderr, "{}\n", *sentence);
              return here();
            },
            [this](const heartbeat& h) { // so many steps
              left_ = h.number;
              promise_ = self_->make_response_promise();
              begin();
              return promise_;
            },
            [this](const ring_chunk& c) { perform(core_.on_chunk(c)); }};
  }

  [[nodiscard]] bind_role here() const {
    return {peer(rank_).role,
            {1},
            caf::actor_cast<caf::strong_actor_ptr>(self_),
            {},
            leader_rank,
            shared_memory::of_this_process().place()};
  }

private:
  void begin() {
    if (core_.peers() == 0) {
      auto members = std::vector<member>{};
      for (uint32_t r = 0; r < peers_; ++r) {
        members.push_back({{"agent", r}, {1}});
        members.push_back(peer(r));
      }
      perform(core_.on_view({{1}, {}, members, {}, {1}}));
      auto out = ring_core::actions{};
      core_.on_loaded({0}, {}, out);
      perform(out);
    }
    step_once();
  }

  void step_once() {
    auto parts = std::vector<plan_part>{};
    for (uint32_t r = 0; r < peers_; ++r)
      parts.push_back({r, r + 1, r});
    perform(core_.on_plan({core_.version(), core_.crew_since(), peers_, parts}));
    auto node = sum_tree{peers_}.leaf(rank_);
    for (uint32_t b = 0; b < gradient_.size(); ++b) {
      auto out = ring_core::actions{};
      core_.on_push({{{"agent", rank_}, {1}, {1}}, core_.version(), core_.version(), {b}, node, peers_, {}}, out);
      perform(out);
    }
  }

  void summed() {
    auto at = core_.version();
    core_.on_norms(core_.crew_since(), at, {{{0}, 0, true}});
    if (!core_.on_commit({.view = {1}, .at = at, .version = at, .crew_since = core_.crew_since()}))
      give_up("a step was not whole");
    auto last = left_ == 1;
    if (last)
      check();
    sums_.clear();
    perform(core_.on_applied());
    if (--left_ == 0)
      promise_.deliver(alive{});
    else
      step_once();
  }

  void check() const {
    for (uint32_t b = 0; b < gradient_.size(); ++b)
      for (auto x : sums_.total(b).as_floats())
        if (x != static_cast<float>(peers_))
          give_up(fmt::format("the sum of {} ones is not {}", peers_, x));
  }

  void perform(const ring_core::actions& actions) {
    to_do_.insert(to_do_.end(), actions.begin(), actions.end());
    if (std::exchange(busy_, true))
      return;
    while (!to_do_.empty()) {
      auto next = std::move(to_do_.front());
      to_do_.pop_front();
      std::visit([this](auto& x) { perform(x); }, next);
    }
    busy_ = false;
  }
  void perform(const ring_core::ask_plan&) {}
  void perform(const ring_core::fetch_model&) {}
  void perform(const ring_core::start_over&) {}
  void perform(const ring_core::assemble& a) {
    auto own = sums_.assemble(stream_, a.bucket, {{gradient_[a.bucket]}}); // nothing is left to the stream
    perform(core_.on_assembled(core_.crew_since(), a.bucket, own.values));
  }
  void perform(const ring_core::send& a) {
    auto c = a.what;
    auto& to = others_.at(a.to.role.index);
    c.values = c.values.for_reader(to.place.process);
    troupe::anon_send(caf::actor_cast<caf::actor>(to.handle), std::move(c));
  }
  void perform(const ring_core::reduce& a) { go_on(sums_.add(stream_, a), a.bucket, a.chunk); }
  void perform(const ring_core::join& a) { go_on(sums_.join(stream_, a), a.bucket, a.chunk); }
  void go_on(const ring_sums::sum& made, uint32_t bucket, uint32_t chunk) {
    auto done = [this, at = core_.version(), bucket, chunk, v = made.values] {
      perform(core_.on_reduced(core_.crew_since(), at, bucket, chunk, v));
    };
    if (made.there)
      done();
    else
      stream_.on_complete([this, done] { run_in(caf::actor{self_}, done); });
  }
  void perform(const ring_core::complete& a) { sums_.complete(stream_, a); }
  void perform(const ring_core::measure&) {
    if (core_.buckets().size() == 1 &&
        chunk_range::of(core_.buckets()[0].size, core_.chunks(), 0).last <= ring_sums::at_once)
      return summed(); // nothing was left to the stream
    stream_.on_complete([this] { run_in(caf::actor{self_}, [this] { summed(); }); });
  }

  self_pointer self_;
  uint32_t rank_;
  uint32_t peers_;
  ring_core core_;
  ring_sums sums_;
  gpu::stream stream_;
  std::vector<payload> gradient_;
  std::map<uint32_t, bind_role> others_;
  std::deque<ring_core::action> to_do_;
  bool busy_ = false;
  uint64_t left_ = 0;
  caf::response_promise promise_;
};

caf::actor spawn_reducer(caf::actor_system& system, uint32_t rank, const task& what) {
  return system.spawn([=](caf::event_based_actor* a) {
    auto state = std::make_shared<reducer>(a, rank, what);
    a->attach_functor([state] {});
    return state->make_behavior();
  });
}

// -- one process ------------------------------------------------------------------------------------------------------

int in_threads(const task& what) {
  auto peers = what.peers;
  auto rt = runtime{{}};
  auto self = caf::scoped_actor{rt.system()};
  auto all = std::vector<caf::actor>{};
  for (uint32_t r = 0; r < peers; ++r)
    all.push_back(spawn_reducer(rt.system(), r, what));
  for (auto& to : all)
    for (uint32_t r = 0; r < peers; ++r)
      troupe::request(self, to, limit, bind_role{peer(r).role, {1}, caf::actor_cast<caf::strong_actor_ptr>(all[r])})
        .receive([](const bind_role&) {}, [](const caf::error& e) { give_up(to_string(e)); });
  measure("troupe-threads", peers, what.bytes, [&](uint64_t n) {
    return seconds([&] {
      for (auto& to : all)
        troupe::send(self, to, heartbeat{n});
      for (uint32_t r = 0; r < peers; ++r)
        self->receive([](const alive&) {});
    });
  });
  std::fflush(nullptr);
  std::_Exit(0);
}

// Each peer adds its own to what came for each chunk but one, and copies each complete chunk but its own.
int at_the_limit(uint32_t peers, size_t bytes) {
  auto n = bytes / sizeof(float);
  auto part = n / peers;
  auto gradients = std::vector<payload>(peers);
  auto sums = std::vector<payload>(peers);
  auto totals = std::vector<payload>(peers);
  for (uint32_t r = 0; r < peers; ++r)
    for (auto* p : {&gradients[r], &sums[r], &totals[r]}) {
      *p = payload::floats(n);
      std::fill_n(p->mutable_floats().data(), n, 1.0f);
    }
  auto phase = std::barrier{static_cast<ptrdiff_t>(peers)};
  measure("limit", peers, bytes, [&](uint64_t steps) {
    return seconds([&] {
      auto threads = std::vector<std::jthread>{};
      for (uint32_t r = 0; r < peers; ++r)
        threads.emplace_back([&, r] {
          auto before = (r + peers - 1) % peers;
          for (uint64_t i = 0; i < steps; ++i) {
            for (uint32_t hop = 1; hop < peers; ++hop) {
              auto chunk = (r + 2 * peers - 1 - hop) % peers * part;
              auto& came = hop == 1 ? gradients[before] : sums[before];
              auto& to = hop + 1 == peers ? totals[r] : sums[r];
              gpu::kernels::sum(part, came.as_floats().data() + chunk, gradients[r].as_floats().data() + chunk,
                                to.mutable_floats().data() + chunk);
              phase.arrive_and_wait();
            }
            for (uint32_t hop = 1; hop < peers; ++hop) {
              auto chunk = (r + peers - hop) % peers * part;
              gpu::kernels::copy(part, totals[before].as_floats().data() + chunk,
                                 totals[r].mutable_floats().data() + chunk);
              phase.arrive_and_wait();
            }
          }
        });
    });
  });
  return 0;
}

// -- processes --------------------------------------------------------------------------------------------------------

void steps(caf::scoped_actor& self, const caf::actor& which, uint64_t n) {
  troupe::request(self, which, limit, heartbeat{n})
    .receive([](const alive&) {}, [](const caf::error& e) { give_up(to_string(e)); });
}

// A process of the ring: says its port, is told those of all, and takes part in as many steps as it is told.
int take_part(uint32_t rank, const task& what, bool inline_only) {
  if (inline_only)
    shared_memory::of_this_process().refrain();
  auto rt = runtime{{.network = true}};
  shared_memory::of_this_process().place();
  auto self = caf::scoped_actor{rt.system()};
  auto mine = spawn_reducer(rt.system(), rank, what);
  auto here = bind_role{peer(rank).role,
                        {1},
                        caf::actor_cast<caf::strong_actor_ptr>(mine),
                        {},
                        leader_rank,
                        shared_memory::of_this_process().place()};
  auto port = rt.system().middleman().publish(mine, 0, "127.0.0.1");
  if (!port)
    give_up(to_string(port.error()));
  std::printf("%u\n", static_cast<unsigned>(*port));
  std::fflush(stdout);
  for (uint32_t other = 0; other < what.peers; ++other) {
    unsigned at = 0;
    if (std::scanf("%u", &at) != 1)
      give_up("no ports");
    if (other >= rank) // of two processes one connects
      continue;
    auto handle = rt.system().middleman().remote_actor("127.0.0.1", static_cast<uint16_t>(at));
    if (!handle)
      give_up(to_string(handle.error()));
    troupe::request(self, *handle, limit, here)
      .receive([&](const bind_role& there) { troupe::anon_send(mine, there); },
               [](const caf::error& e) { give_up(to_string(e)); });
  }
  std::printf("ready\n");
  std::fflush(stdout);
  for (unsigned long n = 0; std::scanf("%lu", &n) == 1 && n > 0;) {
    steps(self, mine, n);
    std::printf("done\n");
    std::fflush(stdout);
  }
  std::fflush(nullptr);
  std::_Exit(0);
}

int in_processes(const task& what, const std::string& how) {
  auto all = std::vector<child>{};
  for (uint32_t r = 0; r < what.peers; ++r)
    all.push_back(launch({"bench_all_reduce", "rank", std::to_string(what.peers), std::to_string(what.bytes),
                          what.schedule, std::to_string(r), how}));
  auto ports = std::string{};
  for (auto& c : all)
    ports += c.line();
  for (auto& c : all)
    c.say(ports);
  for (auto& c : all)
    c.line();
  measure(how == "inline" ? "troupe-inline" : "troupe", what.peers, what.bytes, [&](uint64_t n) {
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
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  auto words = std::vector<std::string>(argv + 1, argv + argc);
  auto number = [&](size_t i) { return i < words.size() ? std::strtoull(words[i].c_str(), nullptr, 10) : 0; };
  auto what = task{static_cast<uint32_t>(number(1)), static_cast<size_t>(number(2))};
  if (words.size() > 3)
    what.schedule = words[3];
  auto known = what.schedule == "usual" || what.forced();
  if (what.peers < 2 || what.bytes < sizeof(float) || !known)
    give_up("call it with processes, inline, threads or limit, the number of peers, at least 2, of bytes, and perhaps "
            "ring, doubling, halving or pairwise");
  if (words[0] == "rank" && words.size() == 6)
    return take_part(static_cast<uint32_t>(number(4)), what, words[5] == "inline");
  if (words[0] == "threads")
    return in_threads(what);
  if (words[0] == "limit")
    return at_the_limit(what.peers, what.bytes);
  return in_processes(what, words[0]);
}
