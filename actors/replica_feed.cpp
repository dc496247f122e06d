#include "actors/replica_feed.hpp"

#include <algorithm>

namespace troupe {

replica_feed::answer replica_feed::on_follow(const follow_shard& f, step now, view rewound) {
  auto who = member{f.from.role, f.from.incarnation};
  if (f.from.role != role_ || !shown_ || (replica_ && who < *replica_))
    return {};
  auto known = replica_ == who;
  asked_ = known ? std::max(asked_, f.from.view) : f.from.view;
  auto oldest = updates_.empty() ? now : std::min(now, updates_.front().what.version);
  if (f.loaded && f.since == rewound && f.version >= oldest && f.version <= now.next()) {
    feed(who);
    awaits_state_ = false;
    floor_ = f.version;
    acknowledged();
    return {false, open()};
  }
  if (known && !f.again)
    return {}; // it is under way
  feed(who);
  awaits_state_ = true;
  caught_up_ = false;
  show();
  return {true, {}};
}

// Another one does not have what the one before was sent.
void replica_feed::feed(const std::optional<member>& who) {
  if (replica_ == who)
    return;
  replica_ = who;
  caught_up_ = false;
  summed_.clear();
  sure_.clear();
}

bool replica_feed::on_summed(step at) {
  if (replicated() && !awaits_state_)
    summed_.try_emplace(at, false);
  return waits(at);
}

void replica_feed::on_sums_replicated(const sums_replicated& r) {
  auto i = summed_.find(r.at);
  if (replica_ == member{r.from.role, r.from.incarnation} && i != summed_.end())
    i->second = true;
}

bool replica_feed::waits(step at) const {
  auto i = summed_.find(at);
  return replicated() && !awaits_state_ && i != summed_.end() && !i->second;
}

bool replica_feed::has_sums(step at) const {
  auto i = summed_.find(at);
  return i != summed_.end() && i->second;
}

bool replica_feed::on_bound(const member& who) {
  if (replica_ != who || caught_up_)
    return false;
  awaits_state_ = true;
  show();
  return true;
}

void replica_feed::on_state(step taken) {
  if (!replica_)
    return;
  awaits_state_ = false;
  floor_ = taken;
  std::erase_if(updates_, [&](auto& u) { return u.what.version < taken; });
  show();
}

bool replica_feed::on_update(const replicate_update& u) {
  if (has_sums(u.what.at))
    sure_.insert(u.what.version.next());
  updates_.push_back(u); // until it is done at least: it is not in the holder's version yet
  return replica_ && !awaits_state_;
}

void replica_feed::on_applied(version made) {
  if (!replica_)
    updates_.clear();
  std::erase_if(summed_, [&](auto& x) { return made.applied.contains(x.first); });
  made_.push_back(std::move(made));
  show();
}

void replica_feed::on_replicated(const update_replicated& r) {
  if (replica_ != member{r.from.role, r.from.incarnation} || awaits_state_)
    return;
  floor_ = std::max(floor_, r.version);
  acknowledged();
}

void replica_feed::acknowledged() {
  std::erase_if(updates_, [&](auto& u) { return u.what.version < floor_; });
  caught_up_ = caught_up_ || floor_ >= shown_->applied.version();
  show();
}

void replica_feed::on_view(const view_changed& v) {
  if (!replica_ || v.number < asked_ || std::find(v.members.begin(), v.members.end(), *replica_) != v.members.end())
    return;
  feed({});
  awaits_state_ = false;
  show();
}

void replica_feed::on_loaded(version from) {
  clear();
  shown_ = std::move(from);
}

void replica_feed::clear() {
  feed({});
  awaits_state_ = false;
  updates_.clear();
  made_.clear();
  shown_.reset();
}

std::vector<replicate_update> replica_feed::open() const {
  return replica_ && !awaits_state_ ? std::vector<replicate_update>{updates_.begin(), updates_.end()}
                                    : std::vector<replicate_update>{};
}

void replica_feed::show() {
  auto may = [&](step v) {
    return !replica_ || awaits_state_ || v <= floor_ || sure_.contains(v) ||
           (!caught_up_ && v.value <= floor_.value + max_lead);
  };
  while (!made_.empty() && may(made_.front().applied.version())) {
    shown_ = std::move(made_.front());
    made_.pop_front();
  }
  if (shown_)
    sure_.erase(sure_.begin(), sure_.upper_bound(shown_->applied.version()));
}

} // namespace troupe
