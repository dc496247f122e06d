#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

namespace troupe {

/// Consistent hashing (Karger et al. 1997): hosts and keys are points on a circle, a host several (virtual nodes), and
/// a key belongs to the first host behind it. A host that comes or goes moves about its share of the keys, no others.
/// A pure function of the hosts: every node works it out alike.
class hash_ring {
public:
  explicit hash_ring(uint32_t points_per_host = 100) : points_(points_per_host) {}

  void add(uint32_t host);
  void remove(uint32_t host);
  [[nodiscard]] const std::set<uint32_t>& hosts() const { return hosts_; }

  /// The host of a key. There has to be one.
  [[nodiscard]] uint32_t owner(uint32_t key) const { return walk(key).front(); }
  /// All hosts, in the order in which the circle has them behind the key.
  [[nodiscard]] std::vector<uint32_t> walk(uint32_t key) const;

  /// The hosts of keys 0 to `keys` - 1, none with a tenth more than the mean, or one, where that is more: a key for
  /// which its host has no room goes to the next one (Mirrokni, Thorup, Zadimoghaddam 2018: consistent hashing with
  /// bounded loads). Where keys have been placed `before`, no more of them move than have to: those of hosts that are
  /// gone, and as many as a host that has joined lacks.
  [[nodiscard]] std::vector<uint32_t> place(uint32_t keys, const std::vector<uint32_t>& before = {}) const;

private:
  uint32_t points_;
  std::set<uint32_t> hosts_;
  std::map<std::pair<uint64_t, uint32_t>, uint32_t> circle_; ///< by point; two hosts may have the same
};

} // namespace troupe
