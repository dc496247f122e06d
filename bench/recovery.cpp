// How long recovery takes, by phase, over many faults. Prints one JSON object a line; bench/recovery.py makes the table
// and measures torchrun beside it.
//
//   bench_recovery in-place FAULTS           an agent's state fails in its actor
//   bench_recovery process FAULTS TROUPE     SIGKILL of the only agent's worker process
//   bench_recovery others FAULTS TROUPE      the same with two agents: the longest pause of the run meanwhile

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

#include "actors/agent.hpp"
#include "actors/data_parallel.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

using clock_type = std::chrono::steady_clock;
using instant = clock_type::time_point;

double ms(instant from, instant to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

/// The moments of one recovery, in order. Written by several actors, read when the next step has committed.
struct moments {
  std::mutex mutex;
  instant fault, decided, restarted, rejoined;
  bool waiting = false;

  void at(instant moments::*what) {
    auto guard = std::lock_guard{mutex};
    if (waiting && this->*what == instant{})
      this->*what = clock_type::now();
  }
  void begin() {
    auto guard = std::lock_guard{mutex};
    decided = restarted = rejoined = {};
    fault = clock_type::now();
    waiting = true;
  }
};

/// An agent whose lives a bench can end.
class mortal_agent {
public:
  using interface = agent_actor;
  struct config {
    agent::config inner;
    moments* clock = nullptr;
    std::shared_ptr<std::optional<life>> now;
  };
  static constexpr const char* actor_name = "bench.mortal_agent";

  mortal_agent(interface::pointer self, const life& now, const config& c)
    : inner_(self, now, c.inner), clock_(c.clock) {
    auto guard = std::lock_guard{clock_->mutex};
    *c.now = now;
  }
  interface::behavior_type make_behavior() {
    auto result = inner_.make_behavior();
    clock_->at(&moments::restarted);
    return result;
  }

private:
  agent inner_;
  moments* clock_;
};

std::vector<pid_t> workers() {
  std::vector<pid_t> result;
  for (auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream list(task.path() / "children");
    for (pid_t each = 0; list >> each;)
      result.push_back(each);
  }
  return result;
}

int measure(const std::string& what, int faults, const std::string& program) {
  auto in_place = what == "in-place";
  auto options = job_options{
    .model = "lenet", .agents = what == "others" ? 2 : 1, .batch = 12, .micro_batch = 4, .steps = 1'000'000};
  options.epochs = 1'000'000;
  options.threads = 1;
  options.evaluate = false;
  options.isolation = in_place ? isolation::thread : isolation::process;
  options.worker_program = program;

  moments clock;
  auto mortal = std::make_shared<std::optional<life>>();
  std::shared_ptr<directory> roles;
  instant last_step;
  double longest_pause = 0;
  int done = -20; // steps before the first fault
  int wait = 0;   // steps until the next one

  auto observer = job_observer{};
  data_parallel* parts = nullptr;
  observer.on_step = [&](const step_progress&) {
    auto now = clock_type::now();
    if (done > 0 && last_step != instant{})
      longest_pause = std::max(longest_pause, ms(last_step, now));
    last_step = now;
    {
      auto guard = std::lock_guard{clock.mutex};
      auto back = in_place ? clock.restarted : clock.rejoined;
      if (clock.waiting && back != instant{}) {
        clock.waiting = false;
        if (what == "others")
          std::printf("{\"kind\": \"others\", \"longest_pause_ms\": %.3f}\n", longest_pause);
        else
          std::printf(
            "{\"kind\": \"%s\", \"detect_and_decide_ms\": %.3f, \"restart_ms\": %.3f, \"restore_and_rejoin_ms\": %.3f, "
            "\"total_ms\": %.3f}\n",
            what.c_str(), ms(clock.fault, clock.decided), ms(clock.decided, back), ms(back, now), ms(clock.fault, now));
        longest_pause = 0;
        wait = 10;
        if (++done == faults)
          return parts->request_stop();
      }
      if (clock.waiting)
        return;
    }
    if (done < 0) {
      if (++done < 0)
        return;
    }
    if (--wait > 0)
      return;
    clock.begin();
    if (in_place) {
      (*mortal)->fail({"as told"});
    } else if (auto list = workers(); !list.empty()) {
      ::kill(list.back(), SIGKILL);
    }
  };
  auto rt = runtime{{.network = !in_place}};
  auto made = data_parallel::prepare(rt, options, observer);
  if (!made)
    return std::puts(made.error().sentence.c_str()), 2;
  parts = made->get();
  roles = parts->job().roles;
  auto tree = supervise("training", one_for_one, at_most(3, 1min))
                .child(parts->locks)
                .child(parts->broker)
                .child(supervise("shards", one_for_all).child(parts->shards));
  auto agents = supervise("agents", one_for_one, at_most(1'000'000, 1min));
  if (in_place)
    agents.child(startable{"agent/0", [&](const start_context& c) -> started {
                             auto config = mortal_agent::config{
                               {{"agent", 0}, parts->shared_job(), gpu::device::host({0, 1})}, &clock, mortal};
                             auto handle = spawn_in_place<mortal_agent>(c.system, c.link(), config);
                             roles->bind({{"agent", 0}, c.number, caf::actor_cast<caf::strong_actor_ptr>(handle)});
                             return handle;
                           }});
  else
    agents.child(parts->agents);
  tree.child(agents).child(parts->leader, transient, significant);
  auto keep = rt.system().spawn([](caf::event_based_actor*) -> caf::behavior { return {[](int) {}}; });
  roles->on_bind(caf::actor_cast<caf::weak_actor_ptr>(keep), [&](const bind_role& entry) {
    if (entry.role.kind == "agent")
      clock.at(&moments::rejoined);
  });
  auto end = rt.run(tree, {}, {}, [&](const supervision_report&) { clock.at(&moments::decided); });
  auto report = end ? parts->report(*end) : tl::unexpected(end.error());
  troupe::anon_send_exit(keep, caf::exit_reason::user_shutdown);
  if (!report)
    return std::puts(report.error().sentence.c_str()), 1;
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (argc < 3)
    return measure("in-place", 100, {}); // what `make bench` runs
  return measure(argv[1], std::atoi(argv[2]), argc > 3 ? argv[3] : "");
}
