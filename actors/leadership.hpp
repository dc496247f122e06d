#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "messages/leadership.hpp"

namespace troupe {

/// One claim to lead a job, of its leader or of its standby: the pure core (R1). Voters grant leases (`leader_lease`);
/// whoever holds those of a majority, counted on its own clock from when it *asked* and with a margin for clocks that
/// do not run alike, tells all that it leads, and may commit while a majority has granted that. Of two majorities one
/// voter is in both, so no two claims may commit at the same time, and one that was left behind hears that it is over.
class leadership {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// Between two claims to one voter: of who leads, and of who does not yet.
  static constexpr std::chrono::milliseconds pace{200};
  static constexpr std::chrono::milliseconds hurry{50};
  /// Part of a lease that is not counted on.
  static constexpr std::chrono::milliseconds margin{100};
  /// How long a claim that yields is made, and then not, until it succeeds.
  static constexpr std::chrono::milliseconds round{500};

  struct options {
    std::string job;
    troupe::term term;
    size_t voters = 1;    ///< a majority of them decides
    size_t listeners = 0; ///< that are told all the same, numbered behind them
    bool yields = false;  ///< gives up for a while what is not enough, for the other one to have it: the standby does
  };

  /// Nothing, a claim, or that what was granted is given up.
  using word = std::variant<std::monostate, claim_lead, release_lead>;

  explicit leadership(options o) : options_(std::move(o)), asked_(options_.voters + options_.listeners) {}

  /// Whether it is to be claimed at all; at first it is not.
  void want(bool it, time_point now);
  /// What is to be said to a voter now.
  word due(size_t voter, time_point now);
  /// Its answer to `what`, which was sent then.
  void on_answer(size_t voter, const claim_lead& what, time_point sent, const lead_answer& a, time_point now);

  [[nodiscard]] bool may_commit(time_point now) const { return holds(now, &answers::led_until); }
  /// Whether this voter, or listener, is there and has granted that it leads.
  [[nodiscard]] bool granted_by(size_t voter, time_point now) const { return now < asked_[voter].led_until; }
  /// A later term has led: this one never will again.
  [[nodiscard]] bool is_over() const { return over_; }
  /// What gives up all that was granted.
  [[nodiscard]] release_lead release() const { return {options_.job, options_.term, attempt_}; }

private:
  struct answers {
    std::optional<time_point> sent; // the newest claim
    bool said_leads = false;        // in it
    time_point granted_until{};
    time_point led_until{}; // of claims that said so
  };

  [[nodiscard]] bool holds(time_point now, time_point answers::*until) const;
  void begin_round(time_point now);
  [[nodiscard]] bool rests(time_point now);

  options options_;
  std::vector<answers> asked_;
  bool wanted_ = false;
  uint64_t attempt_ = 0;
  bool leads_ = false; // it has had a majority
  bool over_ = false;
  time_point round_began_{};
};

/// How many of a job's nodes, and its standby, vote: an odd number, so that there is a majority of as few as possible.
constexpr size_t voters_among(size_t nodes) {
  return nodes % 2 == 1 ? nodes : nodes + 1;
}

} // namespace troupe
