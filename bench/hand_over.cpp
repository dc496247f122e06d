// How long a host that has joined takes until the part of the parameters that belongs there is served there, and at
// which rate updates are made meanwhile. A worker process of a run with `sharded` agents is killed, again and again:
// the one that comes in its place joins as any other.
//
//   bench_hand_over TIMES TROUPE

#include <algorithm>
#include <caf/scoped_actor.hpp>
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

#include "actors/data_parallel.hpp"

using namespace troupe;

namespace {

using clock_type = std::chrono::steady_clock;
using instant = clock_type::time_point;

constexpr int steps_between = 100;
constexpr double patience_ms = 3000;

double ms(instant from, instant to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

double quantile(std::vector<double> x, double q) {
  std::sort(x.begin(), x.end());
  return x.at(static_cast<size_t>(q * static_cast<double>(x.size() - 1)));
}

/// Any worker process.
pid_t a_worker() {
  for (auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream list(task.path() / "children");
    if (pid_t first = 0; list >> first)
      return first;
  }
  return 0;
}

/// One kill and what came of it.
struct event {
  instant killed;
  std::optional<uint32_t> rank; ///< of the process that was lost
  instant joined;               ///< the agent in its place was started
  instant serves;               ///< its part of the parameters is held there
};

class watcher {
public:
  void kill() {
    auto guard = std::lock_guard{mutex_};
    now_ = event{clock_type::now(), {}, {}, {}};
    ::kill(a_worker(), SIGKILL);
  }

  void bound(const bind_role& entry) {
    auto guard = std::lock_guard{mutex_};
    if (!now_)
      return;
    if (entry.role.kind == "agent" && !now_->rank) {
      now_->rank = entry.rank;
      now_->joined = clock_type::now();
    } else if (entry.role.kind == "shard_holder" && entry.rank == now_->rank) {
      now_->serves = clock_type::now();
    }
  }

  /// Where the hash ring has placed nothing there is nothing to wait for.
  bool holds_nothing(const directory& roles) {
    auto guard = std::lock_guard{mutex_};
    if (!now_ || now_->joined == instant{} || ms(now_->joined, clock_type::now()) < patience_ms)
      return false;
    for (auto& entry : roles.entries())
      if (entry.role.kind == "shard_holder" && entry.rank == now_->rank)
        return false;
    now_.reset();
    return true;
  }

  /// What has come of the last kill, once that is known.
  std::optional<event> over() {
    auto guard = std::lock_guard{mutex_};
    return now_ && now_->serves != instant{} ? std::exchange(now_, std::nullopt) : std::nullopt;
  }

private:
  std::mutex mutex_;
  std::optional<event> now_;
};

double rate(const std::vector<instant>& steps, instant from, instant to) {
  auto n = std::count_if(steps.begin(), steps.end(), [&](auto& x) { return x > from && x <= to; });
  return static_cast<double>(n) * 1000 / ms(from, to);
}

int measure(int times, const std::string& program) {
  auto options = job_options{.model = "mlp", .sync = "sharded", .agents = 3, .batch = 12, .steps = 1'000'000};
  options.epochs = 1'000'000;
  options.threads = 1;
  options.optimizer.learning_rate = 1e-4f; // thousands of steps of small batches
  options.evaluate = false;
  options.isolation = isolation::process;
  options.worker_program = program;

  watcher watch;
  std::vector<instant> steps;
  std::vector<double> joined, served, before, during, pause;
  int wait = 4 * steps_between;
  double idle = 0; // updates/s before the last kill
  data_parallel* parts = nullptr;
  auto observer = job_observer{};
  observer.on_step = [&](const step_progress&) {
    steps.push_back(clock_type::now());
    if (auto e = watch.over()) {
      joined.push_back(ms(e->killed, e->joined));
      served.push_back(ms(e->joined, e->serves));
      before.push_back(idle);
      during.push_back(rate(steps, e->joined, steps.back()));
      double longest = 0;
      for (auto i = steps.size() - 1; i > 0 && steps[i] > e->killed; --i)
        longest = std::max(longest, ms(steps[i - 1], steps[i]));
      pause.push_back(longest);
      wait = steps_between;
      if (static_cast<int>(served.size()) == times)
        return parts->request_stop();
    }
    if (watch.holds_nothing(*parts->job().roles))
      wait = 1;
    if (--wait == 0) {
      idle = rate(steps, steps[steps.size() - steps_between], steps.back());
      watch.kill();
    }
  };

  auto rt = runtime{{.network = true}};
  auto prepared = data_parallel::prepare(rt, options, observer);
  if (!prepared) {
    std::fprintf(stderr, "bench_hand_over: %s\n", prepared.error().sentence.c_str());
    return 1;
  }
  parts = prepared->get();
  caf::scoped_actor self{rt.system()};
  parts->job().roles->on_bind(caf::actor_cast<caf::weak_actor_ptr>(caf::strong_actor_ptr{self->ctrl()}),
                              [&](const bind_role& entry) { watch.bound(entry); });
  // Without back-off: hosts that really come and go do so less often.
  auto often = at_most(1'000'000, std::chrono::minutes{1});
  auto tree = supervise("training")
                .child(parts->locks)
                .child(parts->broker)
                .child(supervise("shards", one_for_one, often).child(parts->shards).child(parts->replicas))
                .child(supervise("agents", one_for_one, often).child(parts->agents, transient))
                .child(parts->leader, transient, significant);
  auto report = parts->run(tree);
  if (!report) {
    std::fprintf(stderr, "bench_hand_over: %s\n", report.error().sentence.c_str());
    return 1;
  }
  std::printf("mlp of %llu parameters, 3 agents that hold a third each, %d kills; ms: median (longest)\n",
              static_cast<unsigned long long>(report->parameters), times);
  auto line = [](const char* what, const std::vector<double>& x) {
    std::printf("%-62s %8.1f (%.1f)\n", what, quantile(x, 0.5), quantile(x, 1));
  };
  line("SIGKILL until a process has joined in its place", joined);
  line("joined until its part is served there", served);
  line("longest pause between two updates", pause);
  std::printf("updates/s, medians: %.0f before a kill, %.0f from joined until served\n", quantile(before, 0.5),
              quantile(during, 0.5));
  return 0;
}

} // namespace

int main(int count, char** arguments) {
  if (count != 3 || std::atoi(arguments[1]) < 1) {
    std::fprintf(stderr, "usage: bench_hand_over TIMES TROUPE\n");
    return 2;
  }
  return measure(std::atoi(arguments[1]), arguments[2]);
}
