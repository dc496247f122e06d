#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "messages/membership.hpp"
#include "messages/payload.hpp"
#include "messages/replicas.hpp"
#include "messages/step_set.hpp"

namespace troupe {

/// A shard holder's side of replication: what its replica was sent and has acknowledged, and so which version may be
/// shown to agents. What they have seen is not lost with the holder, as in chain replication (van Renesse & Schneider
/// 2004) with a chain of two. While a replica is being sent the whole state, the holder is ahead of it, by so many
/// updates at most. Pure (R1).
class replica_feed {
public:
  /// Updates that a holder shows although a replica that is catching up has not acknowledged them (R13).
  static constexpr uint64_t max_lead = 8;

  struct version {
    step_set applied;
    payload values;
  };
  /// What a replica that asks is to be sent.
  struct answer {
    bool everything = false;               ///< values and state, then call `on_state`
    std::vector<replicate_update> updates; ///< these
  };

  explicit replica_feed(uint32_t shard) : role_{"shard_replica", shard} {}

  /// `now`: the holder's version; `rewound`: the view in which the run last went back.
  answer on_follow(const follow_shard& f, step now, view rewound);
  /// Where the replica is has become known: what was sent to it before is lost. True: send it everything.
  bool on_bound(const member& who);
  /// The whole state was taken, as of this version.
  void on_state(step taken);
  /// All contributions to a step are summed up. True: send the replica the sums, and say nothing of them before it has
  /// acknowledged them.
  bool on_summed(step at);
  void on_sums_replicated(const sums_replicated& r);
  /// Whether the holder may not say yet that it has the sums of that step.
  [[nodiscard]] bool waits(step at) const;
  /// Whether the replica has them.
  [[nodiscard]] bool has_sums(step at) const;
  /// An update begins; true: send it.
  bool on_update(const replicate_update& u);
  /// It is done.
  void on_applied(version made);
  void on_replicated(const update_replicated& r);
  void on_view(const view_changed& v);
  /// The holder has been given these, or has come back with them.
  void on_loaded(version from);
  /// The run went back.
  void clear();

  /// The latest version that may be shown; none before anything was loaded.
  [[nodiscard]] const std::optional<version>& shown() const { return shown_; }
  /// The replica has had all that was shown, and so will whoever takes over from it.
  [[nodiscard]] bool replicated() const { return replica_ && caught_up_; }
  /// The replica has all there is.
  [[nodiscard]] bool in_step(step now) const { return caught_up_ && floor_ >= now; }
  /// What has not been acknowledged, to be sent again.
  [[nodiscard]] std::vector<replicate_update> open() const;
  [[nodiscard]] const std::optional<member>& replica() const { return replica_; }

private:
  void acknowledged();
  void show();
  void feed(const std::optional<member>& who);

  role_id role_;
  std::optional<member> replica_;        ///< that is being fed
  view asked_;                           ///< view in which it has asked
  bool awaits_state_ = false;            ///< it was promised the whole state, which has not been taken yet
  bool caught_up_ = false;               ///< it had all that was shown
  step floor_;                           ///< it has all before this, or is being sent it
  std::map<step, bool> summed_;          ///< steps of which it was sent the sums: whether it has them
  std::set<step> sure_;                  ///< versions whose sums it has, not shown yet
  std::deque<replicate_update> updates_; ///< from there on
  std::deque<version> made_;             ///< not shown yet
  std::optional<version> shown_;
};

} // namespace troupe
