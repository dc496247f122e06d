#pragma once

#include <deque>
#include <memory>

#include "tests/apps/endless_run.hpp"
#include "tests/hosts/test_hosts.hpp"

/// What tests of runs over hosts share.
namespace troupe::test {

/// Hosts, or the test is skipped with the sentence that says why there are none.
inline std::unique_ptr<test_hosts> hosts_or_skip(size_t count, uint64_t seed = 1) {
  auto made = test_hosts::make(count, seed);
  if (!made)
    SKIP(made.error().sentence);
  return std::move(*made);
}

/// A `troupe node` on each of some hosts.
class running_nodes {
public:
  running_nodes(test_hosts& hosts, const temporary_folder& folder, const std::vector<size_t>& where, int slots = 2)
    : hosts_(hosts), folder_(folder), where_(where), slots_(slots) {
    for (const auto host : where)
      start(host);
  }

  /// Starts the node of a host, perhaps again.
  void start(size_t host) {
    auto& node = nodes_.emplace_back(
      hosts_.inside(host, folder_.path(),
                    command({"node", "--listen", address(host), "--slots", std::to_string(slots_), "--insecure"})),
      folder_.path());
    const bool ready = node.wait_for_output("node ready", deadline);
    INFO(node.err());
    REQUIRE(ready);
  }

  [[nodiscard]] static std::string address(size_t host) { return test_hosts::address(host) + ":4242"; }

  /// The words of a long job that a host leads, with one agent for each node.
  [[nodiscard]] words train(size_t leader, uint64_t steps, const words& more = {}) const {
    std::string list;
    for (const auto host : where_)
      list += fmt::format("{}{}", list.empty() ? "" : ",", address(host));
    return hosts_.inside(
      leader, folder_.path(),
      long_job(static_cast<int>(where_.size()), static_cast<int>(steps), words{"--nodes", list} + more));
  }

  /// The same for an `endless_run`.
  [[nodiscard]] words train_endlessly(const words& more = {}) const {
    return train(0, endless_run::endless, endless_run::options + more);
  }

  /// The worker processes of a host's node.
  [[nodiscard]] std::vector<pid_t> workers(size_t host) const {
    for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node)
      if (std::ranges::count(hosts_.processes(host), node->pid()) > 0)
        return node->children();
    return {};
  }

  /// Whether the nodes come to have no process but their own.
  [[nodiscard]] bool are_free() { return are_free_on(where_); }
  [[nodiscard]] bool are_free_on(const std::vector<size_t>& where) {
    return nodes_.front().wait_until(
      [&] { return std::ranges::all_of(where, [&](auto host) { return hosts_.processes(host).size() == 1; }); },
      deadline);
  }

  /// That are open on all hosts with nodes.
  [[nodiscard]] size_t sockets() const {
    size_t result = 0;
    for (const auto host : where_)
      result += hosts_.sockets(host);
    return result;
  }

private:
  test_hosts& hosts_;
  const temporary_folder& folder_;
  std::vector<size_t> where_;
  int slots_;
  std::deque<process> nodes_;
};

/// Three hosts, and a run that the first leads, with an agent on each that has a node.
struct hosts_at_work {
  struct options {
    std::vector<size_t> nodes{0, 1, 2};
    int slots = 2;
    words train{};
  };

  hosts_at_work() : hosts_at_work(options{}) {}
  explicit hosts_at_work(const options& how)
    : made(hosts_or_skip(3)), hosts(*made), nodes(hosts, folder, how.nodes, how.slots),
      run(nodes.train_endlessly(how.train), folder) {}

  temporary_folder folder;
  std::unique_ptr<test_hosts> made;
  test_hosts& hosts;
  running_nodes nodes;
  endless_run run;
};

} // namespace troupe::test
