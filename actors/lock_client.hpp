#pragma once

#include <caf/message.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "messages/failure.hpp"
#include "messages/locks.hpp"
#include "supervision/restart_window.hpp"

namespace troupe {

/// An actor's end of the lock service: acquires locks, renews them at a third of their lease, and says when one is
/// lost. Says everything again until it is answered; the pauses follow the measured round time (R7). What it believes
/// to hold it holds: its lease counts from when it asked, the service's from when it was asked. Whoever can stand still
/// for longer than a lease shows the token to what the lock protects, too (`fence`).
///
/// Belongs to one actor, which hands it the three answers. Time, timers and sending are handed in; its timers do
/// nothing once it is gone.
class lock_client {
public:
  struct ports {
    std::function<time_point()> now;
    /// Calls back in the actor's context.
    std::function<void(std::chrono::nanoseconds, std::function<void()>)> after;
    /// Sends to the lock service, on behalf of the actor. False: there is none.
    std::function<bool(caf::message)> tell;
  };
  struct wish {
    std::string name;
    std::chrono::milliseconds lease{5000};
    std::chrono::milliseconds wait{0}; ///< 0: only if it is free
  };
  using outcome = std::function<void(expected<fencing_token>)>;

  /// `first`: number of its first request; those of an earlier client of the same name and incarnation were lower.
  lock_client(member self, ports p, uint64_t first = 1) : self_(std::move(self)), ports_(std::move(p)), next_(first) {}

  /// Calls `done` once, with the token or the sentence why there is none; `lost` when a lock that was held is held no
  /// more without having been released. One wish per name at a time.
  void acquire(wish w, outcome done, std::function<void()> lost = {});
  /// Lets go of the lock, or of the wish for it, whose `done` is not called any more.
  void release(const std::string& name);
  /// The token, if it is held now.
  [[nodiscard]] std::optional<fencing_token> holds(const std::string& name) const;

  void on(const lock_granted& g);
  void on(const lock_refused& r);
  void on(const lock_released& r);

private:
  enum class stage : uint8_t { asking, held, releasing };
  struct entry {
    wish what;
    uint64_t request = 0;
    stage at = stage::asking;
    fencing_token token;
    time_point until;    ///< held: end of the lease; else when it gives up
    time_point asked;    ///< when the newest answer was asked for
    time_point repeated; ///< when it last said something
    uint64_t alarm = 0;  ///< the newest one counts
    std::chrono::nanoseconds pause{0};
    outcome done;
    std::function<void()> lost;
  };
  using entries = std::map<std::string, entry>;

  void tick(const std::string& name, uint64_t request, uint64_t alarm);
  void again(entry& e);
  bool say(entry& e);
  void let_go(entries::iterator at);
  [[nodiscard]] std::chrono::nanoseconds patience(const entry& e) const;
  [[nodiscard]] entry* find(const std::string& name, uint64_t request);

  member self_;
  ports ports_;
  uint64_t next_;
  entries entries_;
  std::optional<std::chrono::nanoseconds> round_time_; ///< smoothed
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

} // namespace troupe
