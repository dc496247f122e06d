// What supervision costs: messages a second through the shell of a restart in place beside a plain CAF actor; starting
// and stopping many children; memory over many restarts.

#include <caf/actor_system.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <unistd.h>
#include <vector>

#include "actors/runtime.hpp"
#include "messages/caf.hpp"
#include "supervision/in_place.hpp"
#include "supervision/run_tree.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

using clock_type = std::chrono::steady_clock;
using counter = caf::typed_actor<caf::result<void>(int)>;

double seconds_since(clock_type::time_point start) {
  return std::chrono::duration<double>(clock_type::now() - start).count();
}

double median(std::vector<double> xs) {
  std::nth_element(xs.begin(), xs.begin() + static_cast<ptrdiff_t>(xs.size() / 2), xs.end());
  return xs[xs.size() / 2];
}

size_t resident_kib() {
  size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  return pages * static_cast<size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

/// Counts messages; a negative one is the last, a 1 fails the state.
struct counting {
  using interface = counter;
  struct config {
    std::promise<uint64_t>* done = nullptr;
  };
  static constexpr const char* actor_name = "bench.counting";

  counting(interface::pointer, const life&, const config& c) : done_(c.done) {}
  counter::behavior_type make_behavior() {
    return {[this](int x) {
      ++count_;
      if (x < 0)
        done_->set_value(count_);
      if (x == 1)
        throw std::runtime_error("as told");
    }};
  }

  std::promise<uint64_t>* done_;
  uint64_t count_ = 0;
};

counter::behavior_type plain(counter::pointer, std::promise<uint64_t>* done) {
  auto count = std::make_shared<uint64_t>(0);
  return {[count, done](int x) {
    ++*count;
    if (x < 0)
      done->set_value(*count);
  }};
}

/// Messages a second from one sender.
double rate(const counter& to, std::promise<uint64_t>& done, int messages) {
  auto start = clock_type::now();
  for (int i = 1; i < messages; ++i)
    troupe::anon_send(to, 0);
  troupe::anon_send(to, -1);
  done.get_future().get();
  return messages / seconds_since(start);
}

void throughput(caf::actor_system& system) {
  constexpr int messages = 400'000;
  std::vector<double> shells, plains;
  for (int round = 0; round < 15; ++round) {
    std::promise<uint64_t> a, b;
    auto shelled = spawn_in_place<counting>(system, {}, {&a});
    shells.push_back(rate(shelled, a, messages));
    auto bare = system.spawn(plain, &b);
    plains.push_back(rate(bare, b, messages));
    troupe::anon_send_exit(shelled, caf::exit_reason::user_shutdown);
    troupe::anon_send_exit(bare, caf::exit_reason::user_shutdown);
  }
  std::printf("messages/s, median of 15: plain actor %.3g, shell %.3g, ratio %.3f\n", median(plains), median(shells),
              median(shells) / median(plains));
}

/// Seconds to start and to stop `n` children of a template.
double children(caf::actor_system& system, bool shells, size_t n) {
  auto child = startable{"child", [shells](const start_context& c) -> started {
                           if (shells)
                             return spawn_in_place<counting>(c.system, c.link(), {});
                           return c.system.spawn(plain, nullptr);
                         }};
  std::promise<void> ready, ended;
  auto running =
    run_tree(system, supervise("root", simple_one_for_one).child(child),
             {.on_ready = [&] { ready.set_value(); }, .on_end = [&](const tree_end&) { ended.set_value(); }});
  ready.get_future().get();
  auto root = *running->find("root");
  std::promise<void> all;
  std::atomic<size_t> left = n;
  auto start = clock_type::now();
  for (size_t i = 0; i < n; ++i)
    root.start_child(caf::message{}, [&](const call_result&) {
      if (--left == 0)
        all.set_value();
    });
  all.get_future().get();
  running->stop();
  ended.get_future().get();
  return seconds_since(start);
}

void scale(caf::actor_system& system, bool shells) {
  constexpr size_t few = 1000;
  constexpr size_t many = 100'000;
  children(system, shells, many); // pages that were never touched cost ten times a copy
  std::vector<double> small, large, ratios;
  for (int round = 0; round < 7; ++round) {
    double seconds = 0;
    for (size_t i = 0; i < many / few; ++i)
      seconds += children(system, shells, few);
    small.push_back(seconds);
    large.push_back(children(system, shells, many));
    ratios.push_back(large.back() / small.back());
  }
  std::printf("children (%s), start and stop, medians of 7: 100 times 1,000 in %.0f ms, 100,000 in %.0f ms, "
              "%.2f x linear\n",
              shells ? "shells" : "plain actors", 1e3 * median(small), 1e3 * median(large), median(ratios));
}

/// Restarts one child `n` times, in place or by killing it; the resident memory before and after.
void restarts(caf::actor_system& system, bool in_place, int n) {
  std::mutex mutex;
  counter handle;
  std::atomic<uint64_t> done = 0; // lives or starts
  auto child = startable{"child", [&](const start_context& c) -> started {
                           auto guard = std::lock_guard{mutex};
                           handle = spawn_in_place<counting>(c.system, c.link(), {});
                           ++done;
                           done.notify_one();
                           return handle;
                         }};
  std::promise<void> ready, ended;
  auto running = run_tree(system, supervise("root", one_for_one, at_most(1'000'000, 100ms)).child(child),
                          {.on_ready = [&] { ready.set_value(); },
                           .on_report =
                             [&](const supervision_report& r) {
                               if (r.what == decision::replace)
                                 ++done, done.notify_one();
                             },
                           .on_end = [&](const tree_end&) { ended.set_value(); }});
  ready.get_future().get();
  auto fail = [&](int times) {
    for (int i = 0; i < times; ++i) {
      auto before = done.load();
      {
        auto guard = std::lock_guard{mutex};
        if (in_place)
          troupe::anon_send(handle, 1);
        else
          troupe::anon_send_exit(handle, caf::exit_reason::kill);
      }
      done.wait(before);
    }
  };
  fail(n / 20); // until caches are warm
  auto before = resident_kib();
  fail(n);
  std::printf("%d restarts %s: resident memory %zu KiB before, %zu KiB after\n", n,
              in_place ? "in place" : "of the actor", before, resident_kib());
  running->stop();
  ended.get_future().get();
}

} // namespace

int main() {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  auto rt = runtime{};
  throughput(rt.system());
  scale(rt.system(), false);
  scale(rt.system(), true);
  restarts(rt.system(), true, 100'000);
  restarts(rt.system(), false, 100'000);
}
