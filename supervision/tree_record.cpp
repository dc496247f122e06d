#include "supervision/tree_record.hpp"

#include <algorithm>

namespace troupe {

void tree_record::note(const supervision_report& report) {
  {
    std::lock_guard lock{mutex_};
    if (report.what == decision::restart || report.what == decision::replace || report.what == decision::retry)
      ++restarts_;
    constexpr size_t kept = 64;
    if (last_.size() == kept)
      last_.pop_front();
    last_.push_back(report);
  }
  if (on_report_) {
    std::lock_guard lock{calling_};
    on_report_(report);
  }
}

void tree_record::note_late_notices(uint64_t count) {
  std::lock_guard lock{mutex_};
  late_notices_ += count;
}

void tree_record::enter(const std::string& path, const caf::actor& supervisor) {
  std::lock_guard lock{mutex_};
  supervisors_[path] = supervisor;
}

void tree_record::leave(const std::string& path, const caf::actor& supervisor) {
  std::lock_guard lock{mutex_};
  // A successor may have entered already.
  if (auto it = supervisors_.find(path); it != supervisors_.end() && it->second == supervisor)
    supervisors_.erase(it);
}

void tree_record::raise_floor(const std::string& path, incarnation number) {
  std::lock_guard lock{mutex_};
  auto& floor = floors_[path];
  floor = std::max(floor, number);
}

incarnation tree_record::floor(const std::string& path) const {
  std::lock_guard lock{mutex_};
  auto it = floors_.find(path);
  return it == floors_.end() ? incarnation{} : it->second;
}

caf::actor tree_record::find(const std::string& path) const {
  std::lock_guard lock{mutex_};
  auto it = supervisors_.find(path);
  return it == supervisors_.end() ? caf::actor{} : it->second;
}

uint64_t tree_record::restarts() const {
  std::lock_guard lock{mutex_};
  return restarts_;
}

uint64_t tree_record::late_notices() const {
  std::lock_guard lock{mutex_};
  return late_notices_;
}

std::vector<supervision_report> tree_record::last_reports() const {
  std::lock_guard lock{mutex_};
  return {last_.begin(), last_.end()};
}

} // namespace troupe
