#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "tests/support/dice.hpp"
#include "tests/support/fault_mix.hpp"

namespace troupe::testing {

/// A point of virtual time.
using instant = std::chrono::time_point<std::chrono::steady_clock, nanoseconds>;

/// How long a peer may be silent until its connection counts as lost.
inline constexpr nanoseconds connection_patience = std::chrono::seconds{2};

/// One direction of the connection between two hosts: decides what becomes of each message. Pure.
class link {
public:
  enum class carriage : uint8_t {
    loose,   ///< may be lost, doubled and overtaken
    ordered, ///< arrives once, in the order it was sent, or not at all with the connection
  };

  /// When the copies of a message arrive that is sent at `now`, of which `loose` ones have none, one or two.
  std::vector<instant> send(instant now, carriage how, const fault_mix& conditions, dice& with);

  /// Nothing gets through for a while. Where that is longer than the peers' patience the connection is lost, with what
  /// is under way; else it arrives late.
  void cut(instant now, nanoseconds time);
  /// The connection is lost now and a new one can be made at once, as when the peer has ended.
  void lose();
  /// Nothing stands in the way any more.
  void mend() { held_until_ = lost_until_ = {}; }

  [[nodiscard]] bool is_cut(instant now) const { return now < held_until_ || now < lost_until_; }
  /// Rises whenever the connection is lost: what was sent over an earlier one does not arrive.
  [[nodiscard]] uint64_t connection() const { return connection_; }

private:
  instant held_until_;
  instant lost_until_;
  instant last_; ///< arrival of the last ordered message
  uint64_t connection_ = 1;
};

} // namespace troupe::testing
