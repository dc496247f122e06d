// Trains while something is killed every half second: agents, shard holders, the data broker, the coordinator. Draws
// what happened, and shows that the weights are those of a run that nobody disturbed.
//
// Run: build/release/bin/kill_one

#include <cstdio>
#include <map>
#include <mutex>
#include <thread>

#include "actors/data_parallel.hpp"
#include "messages/caf.hpp"

using namespace troupe;
using namespace std::chrono_literals;

int main() {
  auto options = job_options{.model = "lenet", .agents = 2, .epochs = 4};
  auto undisturbed = run_job(options, {}, {});
  auto rt = runtime{};
  auto parts = data_parallel::prepare(rt, options);
  if (!undisturbed || !parts)
    return std::puts((undisturbed ? parts.error() : undisturbed.error()).sentence.c_str()), 2;
  auto& p = **parts;

  auto mutex = std::mutex{};
  auto lines = std::map<std::string, std::string>{}; // by role: a column per tenth of a second
  auto began = std::chrono::steady_clock::now();
  auto mark = [&](const std::string& role, const std::string& sign) {
    auto guard = std::lock_guard{mutex};
    auto column = static_cast<size_t>((std::chrono::steady_clock::now() - began) / 100ms);
    lines[role].resize(std::max(column, lines[role].size()), '-');
    lines[role] += sign;
  };

  auto killer = std::jthread{[&, roles = p.job().roles](std::stop_token stop) {
    auto victims =
      std::vector<role_id>{{"agent", 0}, {"shard_holder", 0}, {"data_broker", 0}, {"coordinator", 0}, {"agent", 1}};
    for (size_t i = 0; !stop.stop_requested(); ++i, std::this_thread::sleep_for(500ms))
      if (auto victim = roles->find(victims[i % victims.size()])) {
        mark(to_string(victims[i % victims.size()]), "x");
        anon_send_exit(victim, caf::error{caf::exit_reason::kill});
      }
  }};
  auto tree = supervise("training", one_for_one, at_most(1000, 1min))
                .child(p.locks)
                .child(p.broker)
                .child(supervise("shards", one_for_all, at_most(1000, 1min)).child(p.shards))
                .child(supervise("agents", one_for_one, at_most(1000, 1min)).child(p.agents))
                .child(p.leader, transient, significant);
  auto end = rt.run(tree, {}, {}, [&](const supervision_report& r) { mark(r.child, "o"); });
  killer.request_stop();
  auto report = end ? p.report(*end) : tl::unexpected(end.error());
  if (!report)
    return std::puts(report.error().sentence.c_str()), 1;
  for (auto& [role, line] : lines)
    std::printf("%-15s %s\n", role.c_str(), line.c_str());
  auto same = report->weights_sha256 == undisturbed->weights_sha256;
  std::printf("%lu restarts, %lu steps: the weights are %s\n", report->restarts, report->steps,
              same ? "those of the undisturbed run" : "OTHERS");
  return same ? 0 : 1;
}

// agent/0         -------------------------xo
// agent/1         --------------------xo
// coordinator/0   ---------------xo
// data_broker/0   ----------xo
// shard_holder/0  -----xo-----------------------xo
// 6 restarts, 628 steps: the weights are those of the undisturbed run
