// What faults of hosts and of the network between them cost a run, by phase. Prints one JSON object a fault;
// bench/hosts.py makes the table.
//
//   bench_hosts KIND FAULTS TROUPE
//
// Three hosts are made of network namespaces (tests/hosts), each with a `troupe node`; the first leads, and the second
// is struck: KIND is kill, lost-5s (killed, back after as long, while no other host has a free slot), freeze-5s,
// freeze-30s, cut-2s, cut-5s, cut-8s, to-cut-2s (it hears nothing for as long), from-cut-2s (it is not heard) or slow
// (50 ms each way, 1 % of packets lost; FAULTS is the number of steps then). Where a host has a free slot, an agent
// that is given up goes on there: after kill, freeze-30s and cut-8s, each of which strikes a run of its own.

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "bench/processes.hpp"
#include "tests/hosts/test_hosts.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;
using nlohmann::json;
using troupe::bench::give_up;

namespace {

using words = std::vector<std::string>;

constexpr auto deadline = 90s;
constexpr size_t struck = 1;
const std::string agent = "agent/1 #";

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

words job(const std::string& program, int agents, uint64_t steps, const words& more) {
  words all{program,
            "train",
            "--model",
            "lenet",
            "--batch",
            "12",
            "--micro-batch",
            "4",
            "--threads",
            "1",
            "--epochs",
            "1000",
            "--no-evaluate",
            "--schedule",
            "constant",
            "--report",
            "report.json",
            "--agents",
            std::to_string(agents),
            "--steps",
            std::to_string(steps)};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

json report_in(const temporary_folder& folder) {
  return json::parse(text_of(folder / "report.json"));
}

bool is_undisturbed(const std::string& program, const json& report) {
  const temporary_folder folder;
  process run(job(program, 1, report["steps"], {"--quiet"}), folder.path());
  return run.wait(10min) == 0 && report_in(folder)["weights_sha256"] == report["weights_sha256"];
}

struct nodes {
  nodes(test_hosts& h, const std::string& p, const temporary_folder& f, int s)
    : hosts(h), program(p), folder(f), slots(s) {
    for (size_t host = 0; host < hosts.size(); ++host)
      start(host);
  }
  void start(size_t host) {
    running.push_back(std::make_unique<process>(hosts.inside(host, folder.path(),
                                                             {program, "node", "--listen", address(host), "--slots",
                                                              std::to_string(slots), "--insecure", "--threads", "1"}),
                                                folder.path()));
    if (!running.back()->wait_for_output("node ready", deadline))
      give_up("a node does not get ready: " + running.back()->err());
  }
  static std::string address(size_t host) { return test_hosts::address(host) + ":4242"; }
  words train(uint64_t steps, words more) const {
    more.insert(more.end(), {"--nodes", address(0) + "," + address(1) + "," + address(2)});
    return hosts.inside(0, folder.path(), job(program, 3, steps, more));
  }

  test_hosts& hosts;
  const std::string& program;
  const temporary_folder& folder;
  int slots;
  std::vector<std::unique_ptr<process>> running;
};

/// The events of a run, read along.
class events {
public:
  events(process& run, std::string path) : run_(run), path_(std::move(path)) {}

  /// When the first event from that time on came for which `f` is true.
  template <class F>
  double first(const char* what, double since, F f) {
    std::optional<double> found;
    auto next = all_.size();
    while (next > 0 && all_[next - 1]["time"].get<double>() >= since)
      --next;
    const auto look = [&] {
      read();
      for (; !found && next < all_.size(); ++next)
        if (all_[next]["time"].get<double>() >= since && f(all_[next]))
          found = all_[next]["time"].get<double>();
      return found.has_value();
    };
    if (!run_.wait_until(look, deadline))
      give_up(std::string("the run does not come to this: ") + what + "\n" + last_events() + run_.out() + run_.err());
    return *found;
  }
  double step(double since) {
    return first("a step", since, [](const json& e) { return e["event"] == "step"; });
  }
  double view(bool with, double since) {
    return first(with ? "a view with the agent" : "a view without the agent", since, [with](const json& e) {
      return e["event"] == "view" && (e["detail"].get<std::string>().find(agent) != std::string::npos) == with;
    });
  }
  /// The news of an end may come after what it leads to.
  double detected(double since) {
    return first("the fault is noticed", since, [](const json& e) {
      return (e.value("who", "") == "agent/1" && (e["event"] == "unreachable" || e["event"] == "ended")) ||
             (e["event"] == "view" && e["detail"].get<std::string>().find(agent) == std::string::npos);
    });
  }

  /// What has ended, and why: a run that is only cut off has no such thing.
  void print_ends() {
    read();
    for (const auto& each : all_)
      if (each["event"] == "ended")
        std::fprintf(stderr, "%s\n", each.dump().c_str());
  }

private:
  std::string last_events() const {
    std::string result;
    int lines = 0;
    for (auto each = all_.rbegin(); each != all_.rend() && lines < 20; ++each)
      if ((*each)["event"] != "step" || lines == 0) {
        result.insert(0, each->dump() + '\n');
        ++lines;
      }
    return result;
  }

  void read() {
    if (!file_.is_open())
      file_.open(path_);
    file_.clear();
    for (std::string some; std::getline(file_, some);) {
      rest_ += some;
      if (file_.eof())
        return;
      all_.push_back(json::parse(rest_));
      rest_.clear();
    }
  }

  process& run_;
  std::string path_;
  std::ifstream file_;
  std::string rest_;
  std::vector<json> all_;
};

void strike(const std::string& kind, test_hosts& hosts) {
  if (kind == "kill" || kind.starts_with("lost"))
    hosts.kill(struck);
  else if (kind.starts_with("freeze"))
    hosts.freeze(struck);
  else if (kind.starts_with("cut"))
    hosts.cut(struck);
  else if (kind.starts_with("to-cut"))
    hosts.set(0, struck, {.cut = true});
  else if (kind.starts_with("from-cut"))
    hosts.set(struck, 0, {.cut = true});
  else
    give_up("no such kind: " + kind);
}

/// How long the fault lasts: what is between the last '-' and 's'.
std::chrono::seconds length(const std::string& kind) {
  return std::chrono::seconds{kind == "kill" ? 0 : std::atoi(kind.c_str() + kind.rfind('-') + 1)};
}

void print_recoveries(const std::string& kind, int faults, nodes& there) {
  auto& hosts = there.hosts;
  process run(there.train(100'000'000, {"--events", "events.jsonl", "--quiet"}), there.folder.path());
  if (!run.wait_until([&] { return !text_of(there.folder / "events.jsonl").empty(); }, deadline))
    give_up("the run does not begin: " + run.err());
  events log(run, there.folder / "events.jsonl");
  log.view(true, 0);
  std::vector<json> rows;
  for (int i = 0; i < faults; ++i) {
    auto begin = now();
    for (int steps = 0; steps < 50; ++steps)
      begin = log.step(begin + 1e-6);
    begin = now();
    strike(kind, hosts);
    const auto detected = log.detected(begin);
    const auto left_out = log.view(false, begin);
    const auto step = log.step(left_out);
    const auto until = begin + std::chrono::duration<double>(length(kind)).count();
    run.wait_until([&] { return now() >= until; }, deadline);
    const auto healed = now();
    if (kind == "kill" || kind.starts_with("lost"))
      there.start(struck);
    hosts.heal(struck);
    hosts.thaw(struck);
    const auto back = log.view(true, left_out);
    rows.push_back({{"kind", kind},
                    {"detected_ms", 1000 * (detected - begin)},
                    {"view_ms", 1000 * (left_out - detected)},
                    {"next_step_ms", 1000 * (step - left_out)},
                    {"back_after_fault_ms", 1000 * (back - begin)},
                    {"back_after_heal_ms", 1000 * (back - healed)}});
    log.step(back);
  }
  run.send(SIGTERM);
  if (run.wait(deadline) != 0)
    give_up("the run failed: " + run.err());
  log.print_ends();
  const auto report = report_in(there.folder);
  const auto equal = is_undisturbed(there.program, report);
  for (auto& row : rows) {
    row["equal"] = equal;
    row["restarts"] = report["restarts"];
    row["dropped_messages"] = report["dropped_messages"];
    std::puts(row.dump().c_str());
  }
}

void print_slow(int steps, nodes& there) {
  there.hosts.set_all({.delay = 50ms, .loss = 0.01});
  process run(there.train(static_cast<uint64_t>(steps), {"--quiet"}), there.folder.path());
  if (run.wait(9min) != 0)
    give_up("the run failed: " + run.err());
  const auto report = report_in(there.folder);
  std::puts(json({{"kind", "slow"},
                  {"step_ms", 1000 * report["training_seconds"].get<double>() / (steps - 1)},
                  {"equal", is_undisturbed(there.program, report)},
                  {"restarts", report["restarts"]},
                  {"dropped_messages", report["dropped_messages"]}})
              .dump()
              .c_str());
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::puts("usage: bench_hosts KIND FAULTS TROUPE; bench/hosts.py runs it");
    return argc == 1 ? 0 : 2; // `make bench` runs all without words
  }
  const std::string kind = argv[1];
  const std::string program = argv[3];
  const auto count = std::atoi(argv[2]);
  const auto moves = kind == "kill" || kind == "freeze-30s" || kind == "cut-8s";
  for (int i = 0; i < (moves ? count : 1); ++i) {
    auto hosts = test_hosts::make(3);
    if (!hosts)
      give_up(hosts.error().sentence);
    const temporary_folder folder;
    nodes there(**hosts, program, folder, moves ? 2 : 1);
    if (kind == "slow")
      print_slow(count, there);
    else
      print_recoveries(kind, moves ? 1 : count, there);
  }
  return 0;
}
