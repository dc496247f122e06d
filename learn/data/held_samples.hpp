#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "learn/dataset.hpp"
#include "learn/exchange.hpp"

namespace troupe::learn {

/// What is known of a set of which not every sample is here.
struct set_description {
  size_t size = 0;
  sample_shape shape;
  int classes = 10;
  sample_form form;
};

/// Samples as they are stored, one behind the other: (n, form.bytes) and (n).
struct stored_samples {
  const std::byte* values = nullptr;
  const int32_t* labels = nullptr;
  std::shared_ptr<const void> owner; ///< keeps both alive
  bool in_file = false;              ///< mapped: no memory that would be needed otherwise
};

/// Those samples of a set that this process holds: shards of it, and single ones for as long as a step needs them. What
/// reads them holds them as well, so that nothing is lost to whoever has begun to read. Thread-safe.
class held_samples {
public:
  explicit held_samples(set_description what);

  [[nodiscard]] const set_description& set() const { return set_; }
  /// Of one sample.
  [[nodiscard]] size_t sample_bytes() const { return sample_bytes_; }

  /// Holds a shard until it is dropped; shards do not overlap.
  void keep(id_range which, stored_samples what);
  void drop(id_range which);
  /// Holds single samples for a step, in the order of `ids`; what is held of them for another step is held for the
  /// later one of the two.
  void keep(std::span<const uint32_t> ids, const stored_samples& what, uint64_t step);
  /// Single samples for steps before this one are not needed any more.
  void drop_before(uint64_t step);

  void clear();

  struct pinned {
    std::shared_ptr<const dataset> samples; ///< answers for these ids only; null where some are missing
    std::vector<uint32_t> missing;
  };
  /// These samples, for as long as the answer lives.
  [[nodiscard]] pinned pin(std::span<const uint32_t> ids) const;
  /// A part of a shard that is held; values are null where it is not.
  [[nodiscard]] stored_samples part(id_range which) const;

  /// Of samples and labels in memory.
  [[nodiscard]] size_t bytes() const;

private:
  struct run {
    size_t last = 0;
    stored_samples what;
  };
  struct single {
    uint64_t step = 0;
    stored_samples what; // from that sample on
  };

  [[nodiscard]] stored_samples find(size_t id) const;
  [[nodiscard]] stored_samples behind(const stored_samples& all, size_t samples) const;

  set_description set_;
  size_t sample_bytes_;
  mutable std::mutex mutex_;
  std::map<size_t, run> shards_; // by the first id
  std::unordered_map<uint32_t, single> singles_;
};

} // namespace troupe::learn
