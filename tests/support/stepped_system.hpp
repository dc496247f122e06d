#pragma once

#include <caf/abstract_actor.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

namespace troupe::testing {

/// An actor system without threads of its own: event-based actors run one message at a time on the caller's thread, in
/// the order that it chooses, and the clock moves only when it is told to.
class stepped_system {
public:
  using instant = std::chrono::steady_clock::time_point;

  /// `config` must outlive it.
  explicit stepped_system(caf::actor_system_config& config);
  stepped_system(const stepped_system&) = delete;
  stepped_system& operator=(const stepped_system&) = delete;
  ~stepped_system();

  [[nodiscard]] caf::actor_system& system();

  // -- actors ---------------------------------------------------------------------------------------

  /// How many actors have something to do.
  [[nodiscard]] size_t ready() const;
  [[nodiscard]] caf::abstract_actor* ready(size_t index) const;
  /// That actor, which changes places with the first, handles one message.
  void run(size_t index);
  /// The first one handles a message. False where none has any.
  bool run_first();

  // -- time -----------------------------------------------------------------------------------------

  [[nodiscard]] instant now() const;
  /// Moves the clock without running timers; never back.
  void set_now(instant to);
  void at(instant when, std::function<void()> f);
  /// When the next timer is due that was not cancelled.
  [[nodiscard]] std::optional<instant> next_timer();
  /// Runs it, and moves the clock to its time unless that has passed. False where there is none.
  bool run_timer();
  void forget_timers();

private:
  struct engine; // CAF's part, spelled differently by its versions
  std::unique_ptr<engine> engine_;
};

} // namespace troupe::testing
