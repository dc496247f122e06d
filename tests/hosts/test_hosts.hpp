#pragma once

#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

#include "messages/failure.hpp"
#include "tests/hosts/packet_switch.hpp"

namespace troupe::test {

/// Hosts made of Linux namespaces, on one network: a machine room for tests. Each has a network namespace with a TUN
/// device, whose packets a switch in this process passes on (`packet_switch`), and a mount namespace in which the boot
/// has another number, so that processes share memory only within a host. Nothing of it has a name: what is left of a
/// host when this process ends, however that comes, is nothing, and any number of tests may run at a time. Processes
/// that were started with `inside` are killed when the thread that started them ends.
///
/// Needs root, namespaces and /dev/net/tun; no packages.
class test_hosts {
public:
  /// One sentence where this machine does not allow for hosts.
  static expected<std::unique_ptr<test_hosts>> make(size_t count, uint64_t seed = 1);
  ~test_hosts();
  test_hosts(const test_hosts&) = delete;
  test_hosts& operator=(const test_hosts&) = delete;

  [[nodiscard]] size_t size() const { return rooms_.size(); }
  [[nodiscard]] static std::string address(size_t host);
  /// The words that run a command on a host, in a folder.
  [[nodiscard]] std::vector<std::string> inside(size_t host, const std::string& folder,
                                                const std::vector<std::string>& command) const;

  // -- faults of the network; links are one way --
  void set(size_t from, size_t to, const link_state& state) { switch_->set(from, to, state); }
  /// All links to others, both ways: as if its cable was pulled.
  void cut(size_t host) { set_all(host, {.cut = true}); }
  void heal(size_t host) { set_all(host, {}); }
  /// Each link between two hosts, both ways.
  void set_all(const link_state& state);
  [[nodiscard]] const packet_switch& network() const { return *switch_; }

  // -- faults of a host: of all its processes --
  void freeze(size_t host) const;
  void thaw(size_t host) const;
  /// Comes back when none is left.
  void kill(size_t host) const;

  // -- what is there --
  [[nodiscard]] std::vector<pid_t> processes(size_t host) const;
  /// How many sockets its processes have open.
  [[nodiscard]] size_t sockets(size_t host) const;

private:
  struct room {
    int network = -1, mounts = -1; // the namespaces
  };
  test_hosts() = default;
  static expected<room> furnish(size_t host, int& device);
  void set_all(size_t host, const link_state& state);
  void signal_all(size_t host, int signal) const;

  std::vector<room> rooms_;
  std::unique_ptr<packet_switch> switch_;
};

} // namespace troupe::test
