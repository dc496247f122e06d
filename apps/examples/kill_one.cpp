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
  auto undisturbed = run_job(options);
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

  auto killer = std::jthread{[&, roles = p.job().roles](const std::stop_token& stop) {
    auto victims = std::vector<role_id>{{"agent", 0}, {"shard_holder", 0}, {"data_broker", 0}, {"coordinator", 0}};
    for (size_t i = 0; !stop.stop_requested(); ++i, std::this_thread::sleep_for(500ms))
      if (auto victim = roles->find(victims[i % victims.size()])) {
        mark(to_string(victims[i % victims.size()]), "x");
        anon_send_exit(victim, caf::error{caf::exit_reason::kill});
      }
  }};
  auto report = p.run(p.tree(at_most(1000, 1min)), {}, [&](const supervision_report& r) { mark(r.child, "o"); });
  killer.request_stop();
  if (!report)
    return std::puts(report.error().sentence.c_str()), 1;
  for (auto& [role, line] : lines)
    std::printf("%-15s %s\n", role.c_str(), line.c_str());
  auto same = report->weights_sha256 == undisturbed->weights_sha256;
  std::printf("%lu restarts, %lu steps: the weights are %s\n", report->restarts, report->steps,
              same ? "those of the undisturbed run" : "OTHERS");
  return same ? 0 : 1;
}

// agent/0         --------------------xo------------------xo------------------xo
// coordinator/0   ---------------xo------------------xo------------------xo
// data_broker/0   ----------xo------------------xo------------------xo
// shard_holder/0  -----xo------------------xo------------------xo
// 12 restarts, 628 steps: the weights are those of the undisturbed run
