#pragma once

#include <deque>
#include <memory>

#include "tests/apps/command.hpp"
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

/// A `troupe node` with two slots on each of some hosts.
class running_nodes {
public:
  running_nodes(test_hosts& hosts, const temporary_folder& folder, const std::vector<size_t>& where)
    : hosts_(hosts), folder_(folder), where_(where) {
    for (const auto host : where)
      start(host);
  }

  /// Starts the node of a host, perhaps again.
  void start(size_t host) {
    auto& node = nodes_.emplace_back(
      hosts_.inside(host, folder_.path(), command({"node", "--listen", address(host), "--slots", "2", "--insecure"})),
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

  /// The worker processes of a host's node.
  [[nodiscard]] std::vector<pid_t> workers(size_t host) const {
    for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node)
      if (std::ranges::count(hosts_.processes(host), node->pid()) > 0)
        return node->children();
    return {};
  }

  /// Whether the nodes come to have no process but their own.
  [[nodiscard]] bool are_free() {
    return nodes_.front().wait_until(
      [&] { return std::ranges::all_of(where_, [&](auto host) { return hosts_.processes(host).size() == 1; }); },
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
  std::deque<process> nodes_;
};

} // namespace troupe::test
