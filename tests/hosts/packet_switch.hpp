#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace troupe::test {

/// What packets meet on their way from one host to another.
struct link_state {
  bool cut = false; ///< none arrives
  std::chrono::milliseconds delay{0};
  double loss = 0; ///< the part of them that gets lost, drawn from a seed
};

/// What happens to packets: pure, time is handed in. Packets of a link that are not lost arrive in order, `delay` after
/// they were sent, whatever becomes of the link meanwhile.
class packet_queue {
public:
  using time_point = std::chrono::steady_clock::time_point;
  using packet = std::vector<std::byte>;
  /// Packets under way; what is more than that is lost, as in a switch.
  static constexpr size_t most_under_way = 20'000;

  explicit packet_queue(uint64_t seed) : draws_(seed) {}

  void set(size_t from, size_t to, const link_state& state) { links_[{from, to}] = state; }
  [[nodiscard]] link_state state(size_t from, size_t to) const;
  /// False where it gets lost.
  bool sent(size_t from, size_t to, packet what, time_point now);
  /// The next packet that has arrived by now, and where; none: nothing has.
  bool arrived(time_point now, size_t& to, packet& what);
  /// When the next one arrives; time_point::max() with none under way.
  [[nodiscard]] time_point next() const;

private:
  struct flying {
    size_t to;
    packet what;
  };
  [[nodiscard]] double draw(); // in [0, 1)

  std::map<std::pair<size_t, size_t>, link_state> links_;
  std::multimap<time_point, flying> under_way_;
  uint64_t draws_;
};

/// Passes IP packets between the TUN devices of test hosts, on a thread of its own: the network they share. Port `i`
/// has the address that ends in `i` + 1. What is for no port is lost.
class packet_switch {
public:
  /// Takes over the descriptors of the devices, which do not block.
  packet_switch(std::vector<int> ports, uint64_t seed);
  ~packet_switch();
  packet_switch(const packet_switch&) = delete;
  packet_switch& operator=(const packet_switch&) = delete;

  void set(size_t from, size_t to, const link_state& state);
  [[nodiscard]] link_state state(size_t from, size_t to) const;
  [[nodiscard]] uint64_t passed() const { return passed_; }
  [[nodiscard]] uint64_t lost() const { return lost_; }

private:
  void run();
  void take_from(size_t port);
  void deliver();
  [[nodiscard]] int milliseconds_to_wait() const;

  std::vector<int> ports_;
  int wake_;
  mutable std::mutex mutex_;
  packet_queue queue_;
  std::atomic<uint64_t> passed_ = 0, lost_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

} // namespace troupe::test
