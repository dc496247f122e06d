#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <string>

#include "messages/leadership.hpp"

namespace troupe {

/// The job that the processes of a term work for, as nodes know it: each leader has agents of its own there.
std::string job_id_of(const std::string& job, term at);

/// To whom one voter, a node or a standby, has granted the lead of a job: the pure core of a vote (R1). It is granted
/// to one term at a time, for a lease that the voter counts on its own clock from when the claim arrived; to another
/// one when that has run out or was given up. Once a term says that it leads, which takes the grants of a majority,
/// lower ones are refused for ever. A voter that begins anew has forgotten what it granted, and waits out a lease
/// first.
class leader_lease {
public:
  using time_point = std::chrono::steady_clock::time_point;

  static constexpr std::chrono::milliseconds length{1000};
  /// Jobs of which it is remembered who has led (R13).
  static constexpr size_t most_jobs = 64;

  explicit leader_lease(time_point born) : until_(born + length) {}

  lead_answer on_claim(const claim_lead& c, time_point now);
  void on_release(const release_lead& r);

  /// Whether a later term of that job has led.
  [[nodiscard]] bool is_over(const std::string& job, term at) const;
  /// The same by the name that the term's processes have.
  [[nodiscard]] bool is_over(const std::string& job_id) const;
  /// Whether nobody else is granted the lead.
  [[nodiscard]] bool is_free_for(const std::string& job, term at, time_point now) const {
    return now >= until_ || (job == job_ && at == term_);
  }

private:
  void note_led(const std::string& job, term at);

  std::string job_; // granted last
  term term_;
  uint64_t attempt_ = 0;
  time_point until_;
  std::map<std::string, term> led_; // the highest that has
  std::deque<std::string> order_;   // in which they came to be known
};

} // namespace troupe
