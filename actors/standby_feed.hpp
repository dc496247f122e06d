#pragma once

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "actors/coordinator.hpp"
#include "messages/interfaces.hpp"

namespace troupe {

/// When a leader's standby gets the state of the run: the pure core. One state is under way at a time, from when it is
/// collected to when the standby has it; then it rests for so long that no more than a fifth of the time goes into it.
class feed_pace {
public:
  using time_point = std::chrono::steady_clock::time_point;

  static constexpr std::chrono::milliseconds least_rest{20};
  static constexpr int rests_per_work = 4;

  [[nodiscard]] bool wants(time_point now) const { return follows_ && !began_ && now >= next_; }
  void begin(time_point now) { began_ = now; }
  void ended(time_point now);
  /// The standby follows, perhaps again, or it does not any more.
  void follows(bool it) { follows_ = it; }

private:
  bool follows_ = false;
  std::optional<time_point> began_; // of what is under way
  time_point next_{};
};

/// The way from a leader's coordinator to its standby. The coordinator asks whether a state is wanted, collects it and
/// hands it over; an actor sends it, connects again where the connection is lost, and says there what the job is.
class standby_feed {
public:
  struct config {
    std::string address; ///< HOST:PORT of the standby
    follow_job order;
    std::shared_ptr<const model_state> first; ///< where the run begins
    std::function<fencing_token()> tokens;    ///< no lock of this process is ever granted with a higher one
    std::function<void(const std::string&)> on_note;
  };

  /// Connects, and has the standby follow and take the first state. Blocks. One sentence where there is none, where it
  /// refuses, or where it does not have the data.
  static expected<std::unique_ptr<standby_feed>> begin(caf::actor_system& system, config c);
  ~standby_feed();
  standby_feed(const standby_feed&) = delete;
  standby_feed& operator=(const standby_feed&) = delete;

  // The coordinator's; any thread.
  /// Whether a state is to be collected now. If so it is under way from here on.
  bool take_turn(feed_pace::time_point now);
  /// What came of it; null: nothing did.
  void hand_over(std::shared_ptr<const model_state> state);

  /// The run has ended as the sentence says: the standby is told so. Blocks for a moment.
  void end(const std::string& how);

private:
  class link;

  standby_feed(caf::actor_system& system, config c);
  expected<void> connect();
  [[nodiscard]] keep_state message_of(const model_state& state) const;

  caf::actor_system& system_;
  config config_;
  caf::actor link_;
  std::mutex mutex_;
  feed_pace pace_;
  standby_actor standby_; // null: it is not there
};

} // namespace troupe
