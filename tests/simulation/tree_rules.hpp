#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "supervision/report.hpp"
#include "supervision/run_tree.hpp"
#include "tests/support/simulation.hpp"

namespace troupe::testing {

/// The rules that a supervision tree keeps whatever happens, checked from outside: by what its children do, by its
/// reports and by the virtual clock.
class tree_rules {
public:
  /// A supervisor's children in start order, with the hosts they live on.
  struct branch {
    restart_limit limit;
    host where;
    std::vector<std::pair<std::string, host>> children;
  };

  tree_rules(simulation& world, std::map<std::string, branch> branches);

  void runs_as(running_tree tree) { tree_ = std::move(tree); }

  /// A child starts; an incarnation never comes back and never goes down (T2).
  void started(const std::string& path, const std::string& child, incarnation number);
  void ended(const std::string& path, const std::string& child, incarnation number);
  /// It was deleted: one of that name that is added later has had no restarts.
  void forgotten(const std::string& path, const std::string& child);
  /// One decision for each death, none for the living (I5); restarts stay within the limit (I4).
  void reported(const supervision_report& r);
  /// A supervisor ended: if it gave up, the limit was reached (I4).
  void gave_up(const std::string& path, const exit_cause& cause);

  /// Incarnations that run now.
  [[nodiscard]] std::set<incarnation> running(const std::string& path, const std::string& child) const;
  [[nodiscard]] bool nobody_runs() const;

private:
  using key = std::pair<std::string, std::string>; // supervisor, child

  struct life {
    caf::actor actor;                                         ///< the supervisor whose restarts these are
    std::deque<std::pair<std::string, instant>> restarts;     ///< of whom, and when
    std::optional<std::pair<std::string, instant>> escalated; ///< because of whom
  };

  void handles(const handling& h);
  void note_restart(const std::string& path, const std::string& child);
  /// Restarts of a supervisor that count for one more of that child (S4).
  [[nodiscard]] static size_t counted(const life& l, const restart_limit& limit, const std::string& child, instant now);

  simulation& world_;
  std::map<std::string, branch> branches_;
  std::optional<running_tree> tree_;
  std::map<key, incarnation> latest_;
  std::map<key, std::set<incarnation>> running_;
  std::set<std::pair<key, incarnation>> decided_;
  std::map<std::string, life> lives_;
};

} // namespace troupe::testing
