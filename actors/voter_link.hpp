#pragma once

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "actors/leadership.hpp"

namespace troupe {

/// A claim to lead, shared by those who make it at the voters and those who act upon it. Any thread.
class lead {
public:
  using time_point = leadership::time_point;

  explicit lead(leadership::options o) : core_(std::move(o)) {}

  [[nodiscard]] bool may_commit(time_point now) const { return locked().core.may_commit(now); }
  [[nodiscard]] bool granted_by(size_t voter, time_point now) const { return locked().core.granted_by(voter, now); }
  [[nodiscard]] bool is_over() const { return locked().core.is_over(); }
  void want(bool it, time_point now) { locked().core.want(it, now); }
  leadership::word due(size_t voter, time_point now) { return locked().core.due(voter, now); }
  void on_answer(size_t voter, const claim_lead& what, time_point sent, const lead_answer& a, time_point now) {
    locked().core.on_answer(voter, what, sent, a, now);
  }
  /// What to tell all voters at the end.
  [[nodiscard]] release_lead release() const { return locked().core.release(); }

private:
  template <class Core>
  struct guarded {
    std::unique_lock<std::mutex> guard;
    Core& core;
  };
  guarded<leadership> locked() { return {std::unique_lock{mutex_}, core_}; }
  guarded<const leadership> locked() const { return {std::unique_lock{mutex_}, core_}; }

  mutable std::mutex mutex_;
  leadership core_;
};

/// Makes a claim to lead at one voter: connects to it, again where the connection is lost, and says what is due.
/// Spawned detached: connecting blocks, and a claim must not wait for what else this process is busy with. When it is
/// ended it gives up what it has been granted.
class voter_link final : public caf::event_based_actor {
public:
  struct config {
    std::shared_ptr<lead> claim;
    size_t voter = 0;
    std::string address = {}; ///< HOST:PORT
    std::string is = "node";  ///< what listens there
    caf::actor here = {};     ///< instead of an address: a voter of this process
  };

  voter_link(caf::actor_config& cfg, config c) : caf::event_based_actor(cfg), config_(std::move(c)) {}
  const char* name() const override { return "troupe.voter_link"; }

protected:
  caf::behavior make_behavior() override;

private:
  /// How often it looks whether something is due.
  static constexpr std::chrono::milliseconds look{20};

  void go_on();
  void connect();
  void say(const claim_lead& what);

  config config_;
  caf::actor there_;
  lead::time_point next_try_{};
};

/// The links to all voters of a claim, numbered as they come; they end with this object.
class voter_links {
public:
  voter_links(caf::actor_system& system, std::shared_ptr<lead> claim) : system_(system), claim_(std::move(claim)) {}
  ~voter_links();
  voter_links(const voter_links&) = delete;
  voter_links& operator=(const voter_links&) = delete;

  void add(const std::string& address, const std::string& is);
  void add(const caf::actor& here);

private:
  caf::actor_system& system_;
  std::shared_ptr<lead> claim_;
  std::vector<caf::actor> links_;
};

} // namespace troupe
