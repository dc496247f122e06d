#pragma once

#include <caf/actor.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "messages/ids.hpp"
#include "supervision/report.hpp"

namespace troupe {

/// What the supervisors of one running tree share: where each of them is, what was reported last, how often something
/// was restarted. Thread-safe.
class tree_record {
public:
  /// `on_report` is called for every report, one call at a time, on the thread of the supervisor that decided; keep it
  /// short.
  explicit tree_record(std::function<void(const supervision_report&)> on_report) : on_report_(std::move(on_report)) {}

  void note(const supervision_report& report);
  void note_late_notices(uint64_t count);
  void enter(const std::string& path, const caf::actor& supervisor);
  void leave(const std::string& path, const caf::actor& supervisor);

  /// Notes that a child of the supervisor at this path has got this incarnation.
  void raise_floor(const std::string& path, incarnation number);
  /// The highest incarnation that any life of the supervisor at this path gave to a child (T2).
  [[nodiscard]] incarnation floor(const std::string& path) const;

  /// The supervisor at this path now; empty if there is none.
  [[nodiscard]] caf::actor find(const std::string& path) const;
  /// Restarts granted over the whole tree, failed attempts included.
  [[nodiscard]] uint64_t restarts() const;
  /// Notices of older incarnations that were dropped (I13).
  [[nodiscard]] uint64_t late_notices() const;
  /// The last reports, oldest first; at most 64.
  [[nodiscard]] std::vector<supervision_report> last_reports() const;

private:
  mutable std::mutex mutex_;
  std::mutex calling_; ///< held during on_report_, so that it may ask this record
  std::function<void(const supervision_report&)> on_report_;
  std::map<std::string, caf::actor> supervisors_;
  std::map<std::string, incarnation> floors_;
  std::deque<supervision_report> last_;
  uint64_t restarts_ = 0;
  uint64_t late_notices_ = 0;
};

} // namespace troupe
