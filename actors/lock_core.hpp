#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "actors/lock_record.hpp"
#include "messages/locks.hpp"
#include "supervision/restart_window.hpp"

namespace troupe {

/// Named locks, each with a queue in order of arrival, granted for a time and with a token that is higher than any
/// before (C. Gray, D. Cheriton: "Leases", 1989; fencing as in M. Burrows: "The Chubby lock service", 2006). The pure
/// core of the lock service (R1). A grant is told when it is in the journal, never before. A lock whose holder says
/// nothing is free when its lease has run out and not earlier, whatever became of the holder: what it has set in motion
/// may still be under way.
class lock_core {
public:
  struct config {
    std::chrono::milliseconds longest_lease{60000};
    size_t most_locks = 4096;   ///< held or waited for at once (R13)
    size_t most_waiters = 1024; ///< for one lock
  };

  /// Write this into the journal, then tell `on_recorded`. In order.
  struct record {
    lock_record what;
  };
  struct tell {
    member who;
    std::variant<lock_granted, lock_refused, lock_released> what;
  };
  using action = std::variant<record, tell>;
  using actions = std::vector<action>;

  /// Goes on behind `before`: what is held there may be held still, and is waited out from `now` on.
  lock_core(config c, const lock_state& before, time_point now);

  actions on_acquire(const acquire_lock& a, time_point now);
  actions on_renew(const renew_lock& r, time_point now);
  actions on_release(const release_lock& r, time_point now);
  /// A record is durable, or is not, and `outcome` says why.
  actions on_recorded(const lock_record& r, const expected<void>& outcome, time_point now);
  /// Leases and patience run out.
  actions on_time(time_point now);
  /// When `on_time` is due; none: nobody holds or waits.
  [[nodiscard]] std::optional<time_point> next() const;

  /// Whether it still owes this client something.
  [[nodiscard]] bool knows(const member& who) const;
  [[nodiscard]] size_t waiting(const std::string& name) const;
  /// Messages that changed nothing because they were old (I13).
  [[nodiscard]] uint64_t dropped() const { return dropped_; }

private:
  struct holder {
    lock_record what;
    int64_t asked_at = 0;
    time_point until;
    bool recorded = false; ///< else the grant is on its way into the journal
    bool unwanted = false; ///< released before it was granted
  };
  struct waiter {
    acquire_lock what;
    time_point until;
  };
  struct lock {
    std::optional<holder> held;
    std::deque<waiter> queue;
  };
  using locks = std::map<std::string, lock>;

  std::optional<std::string> refusal(const acquire_lock& a) const;
  void grant(locks::iterator at, const acquire_lock& to, time_point now, actions& out);
  void free(locks::iterator at, time_point now, actions& out);
  void next_in_queue(locks::iterator at, time_point now, actions& out);
  void expire(time_point now, actions& out);
  bool is_over(const member& who, const std::string& name, uint64_t request) const;
  void note_over(const member& who, const std::string& name, uint64_t request);

  config config_;
  fencing_token last_;
  locks locks_;
  std::map<std::pair<member, std::string>, uint64_t> over_; ///< last request of each client that is done with
  std::deque<std::pair<member, std::string>> over_order_;   ///< oldest first
  uint64_t dropped_ = 0;
};

} // namespace troupe
