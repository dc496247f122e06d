#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace troupe {

/// A number with a meaning: `step{3}` and `view{3}` do not mix, and there is no bare arithmetic on identity.
template <class Tag>
struct strong_number {
  uint64_t value = 0;

  auto operator<=>(const strong_number&) const = default;

  [[nodiscard]] constexpr strong_number next() const { return {value + 1}; }

  template <class Inspector>
  friend bool inspect(Inspector& f, strong_number& x) {
    return f.object(x).fields(f.field("value", x.value));
  }
};

/// How often a role has been started; what an older incarnation says changes nothing (R2, T2).
using incarnation = strong_number<struct incarnation_tag>;
/// Number of a membership list that the coordinator published (R3).
using view = strong_number<struct view_tag>;
/// Number of an update of the parameters, from 0. Parameters of version s are the input of step s.
using step = strong_number<struct step_tag>;
/// Position of a micro-batch within its step, from 0 (R5).
using micro_batch = strong_number<struct micro_batch_tag>;
/// Position of a block in the flat parameter buffer, from 0.
using block_id = strong_number<struct block_tag>;
/// How often a lease of the same range was handed out, from 1.
using attempt = strong_number<struct attempt_tag>;

/// Rises with every grant of any lock; whoever guards a resource refuses lower ones than it has seen (I6). 0: no lock.
using fencing_token = strong_number<struct fencing_token_tag>;

/// The stable name of a participant: `agent/2`. Peers address role ids and look the handle up (R2).
struct role_id {
  std::string kind;   ///< "agent", "shard_holder", "data_broker", "coordinator", …
  uint32_t index = 0; ///< rank among its kind

  auto operator<=>(const role_id&) const = default;

  template <class Inspector>
  friend bool inspect(Inspector& f, role_id& x) {
    return f.object(x).fields(f.field("kind", x.kind), f.field("index", x.index));
  }
};

inline std::string to_string(const role_id& id) {
  return id.kind + '/' + std::to_string(id.index);
}

} // namespace troupe
