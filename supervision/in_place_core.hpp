#pragma once

#include <cstdint>

#include "messages/ids.hpp"

namespace troupe {

/// What became of the messages that a shell took from its mailbox. Until the shell ends, received = handled +
/// quarantined
/// + refused + kept, where at most one is kept: nothing is lost without being counted (T3, I13).
struct in_place_counts {
  uint64_t received = 0;
  uint64_t handled = 0;
  uint64_t quarantined = 0; ///< given up after they had failed too often
  uint64_t refused = 0;     ///< requests during which the state failed; answered with an error, not tried again
  uint64_t retries = 0;     ///< further attempts at messages that had failed
  uint64_t stale = 0;       ///< callbacks of earlier lives, dropped; these are no messages
  uint64_t lives = 1;

  bool operator==(const in_place_counts&) const = default;
};

/// An in-place restart as its shell sees it (T3): the pure core (R1). A life fails → its state is gone and the mailbox
/// waits → the supervisor grants another life → the message that was being handled is tried once more, before all
/// others.
class in_place_core {
public:
  /// A message that has failed `attempts` times, at least 1, is not tried again.
  explicit in_place_core(incarnation number, uint32_t attempts = 2) : number_(number), attempts_(attempts) {}

  /// What was going on when a life failed.
  enum class during : uint8_t {
    message,  ///< one that nobody waits to be answered
    request,  ///< its sender waits
    callback, ///< the completion of something, or the making of the state itself
  };
  /// What becomes of the message that was being handled.
  enum class fate : uint8_t { none, keep, quarantine, refuse };

  void on_received() { ++counts_.received; }
  void on_handled() {
    ++counts_.handled;
    failures_ = 0;
  }
  void on_stale() { ++counts_.stale; }
  /// The life is over. From now on `waits()`.
  fate on_failure(during what);
  /// The supervisor grants a life. False: it is an old word, or the life before has not failed.
  bool on_replace(incarnation next);
  /// The kept message, if there is one, is about to be tried again.
  bool on_retry();

  /// No state: messages stay in the mailbox.
  [[nodiscard]] bool waits() const { return waits_; }
  [[nodiscard]] bool keeps_message() const { return failures_ > 0; }
  [[nodiscard]] incarnation number() const { return number_; }
  [[nodiscard]] const in_place_counts& counts() const { return counts_; }

private:
  incarnation number_;
  uint32_t attempts_;
  uint32_t failures_ = 0; ///< of the message that is kept
  bool waits_ = false;
  in_place_counts counts_;
};

} // namespace troupe
